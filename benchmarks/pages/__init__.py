"""How soon the page in Airflow's UI stands, with many clusters and with one."""
