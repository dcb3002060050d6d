"""The ``kops-assets`` command: the package's use cases from a shell, without Airflow."""

from kops_assets_provider.cli.main import main

__all__ = ["main"]
