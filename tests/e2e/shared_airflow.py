"""What one file of tests puts into an Airflow that it shares with others, and takes away again."""

from __future__ import annotations

import json
from contextlib import contextmanager


def add_dags(airflow, name, text):
    """Add a DAG file; its DAGs have ids of their own."""
    unfinished = airflow.dags_folder / f"{name}.unfinished"
    unfinished.write_text(text)
    # The DAG processor may look at any time.
    unfinished.rename(unfinished.with_suffix(".py"))


@contextmanager
def aws_default(api, **fields):
    """Let ``aws_default`` be a connection of this file's."""
    api.add_connection("aws_default", "aws", **fields)
    yield
    api.request("DELETE", "/api/v2/connections/aws_default")


@contextmanager
def kops_assets_variable(api, options):
    """Let the shipped DAGs read these options."""
    body = {"key": "kops_assets", "value": json.dumps(options)}
    api.request("POST", "/api/v2/variables", body)
    yield
    api.request("DELETE", "/api/v2/variables/kops_assets")
