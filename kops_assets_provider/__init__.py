"""Mirror everything a kOps cluster downloads, images and files, with Apache Airflow."""

__version__ = "0.1.0"
