"""The page "kOps assets" in Airflow's UI."""
