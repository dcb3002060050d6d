"""Mirror a kOps cluster's assets every night, as the Airflow Variable kops_assets says."""

# Airflow reads only DAG files that have the words "airflow" and "dag" in them.
from kops_assets_provider.dag_factory import kops_copy_assets_dag
from kops_assets_provider.dag_params import dry_run_param, options_from_variable

dag = kops_copy_assets_dag(
    "kops_copy_assets_nightly",
    schedule="0 2 * * *",
    dag_options={"params": {"dry_run": dry_run_param(None)}},
    **options_from_variable("kops_assets"),
)
