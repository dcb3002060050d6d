"""Mirror a kOps cluster's assets now: a form that goes before the Airflow Variable kops_assets."""

from kops_assets_provider.dag_factory import kops_copy_assets_dag
from kops_assets_provider.dag_params import copy_params, options_from_variable

dag = kops_copy_assets_dag(
    "kops_copy_assets_manual",
    dag_options={"params": copy_params()},
    **options_from_variable("kops_assets", params=True),
)
