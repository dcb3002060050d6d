"""Check a kOps cluster's mirror, as the Airflow Variable kops_assets says; nothing is written."""

# Airflow reads only DAG files that have the words "airflow" and "dag" in them.
from kops_assets_provider.dag_factory import kops_check_assets_dag
from kops_assets_provider.dag_params import check_params, options_from_variable

dag = kops_check_assets_dag(
    "kops_check_assets",
    dag_options={"params": check_params()},
    **options_from_variable("kops_assets", params=True),
)
