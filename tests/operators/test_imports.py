"""What a task loads, and its DAG file before it: a hundred start at once, and each one pays."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from kops_assets_provider.hooks.aws import aws_client, aws_hook
from kops_assets_provider.hooks.file_repository import S3FileRepositoryHook
from tests.airflow_versions import AIRFLOW
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.s3_server import S3Server

DATA = b"kubelet" * 1000
AWS = {
    "conn_type": "aws",
    "login": "AKIA",
    "password": "secret",
    "extra": {"region_name": "us-east-1"},
}
# Airflow itself asks each provider what it is.
HEAVY = (
    *("google.cloud.", "google.auth", "grpc", "airflow.providers.google.", "boto3", "openlineage"),
    *("airflow.providers.amazon.aws.hooks.s3", "airflow.providers_manager"),
    *("aiohttp", "jinja2", "kubernetes", "numpy", "pandas", "pyarrow", "rich", "sqlalchemy"),
    # What lists are computed with, and read from: a copy is told what to copy.
    *("kops_assets_provider.kops.catalog", "kops_assets_provider.kops.inventory"),
    *("kops_assets_provider.mirror.places.state", "kops_assets_provider.mirror.lists.kops_command"),
)
if AIRFLOW >= (3, 2):  # Airflow 3.1 loads its models itself, whatever the operator is
    HEAVY += ("airflow.models",)
# The operator as a task has it, in a process of its own that has what runs all tasks.
COPY = """
import json, sys
from types import SimpleNamespace
import airflow.sdk.execution_time.task_runner
before = set(sys.modules)
from kops_assets_provider.operators import copy
name, options = json.loads(sys.argv[1])
task = getattr(copy, name)(task_id="copy", **options)
ti = SimpleNamespace(xcom_push=print, try_number=1)
state = task.execute({"ti": ti})["state"]
new = set(sys.modules) - before
loaded = [x for x in json.loads(sys.argv[2]) if any(name.startswith(x) for name in new)]
print(json.dumps([state, loaded]))
"""
# What a task's work takes. Its DAG file has a task to be made, and nothing to be done.
WORK = (
    *("boto3", "urllib3", "kops_assets_provider.files", "kops_assets_provider.hooks"),
    *("kops_assets_provider.http", "kops_assets_provider.oci", "kops_assets_provider.kops.catalog"),
)
# A DAG file, in a process of its own that has Airflow's part of it.
READ = """
import json, sys
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseOperator, BaseSensorOperator, Param, TaskGroup
before = set(sys.modules)
exec(sys.argv[1])
new = set(sys.modules) - before
print(json.dumps([x for x in json.loads(sys.argv[2]) if any(name.startswith(x) for name in new)]))
"""


def copied_and_loaded(name, options, **env):
    """Copy in a new process; return the outcome's state, and what is loaded of ``HEAVY``."""
    arguments = [json.dumps([name, options]), json.dumps(HEAVY)]
    command = [sys.executable, "-c", COPY, *arguments]
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **env}
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.usefixtures("no_credentials")
def test_a_copy_of_an_image_loads_no_cloud_sdk():
    """Neither Google's nor Amazon's."""
    with OciRegistryServer() as source, OciRegistryServer() as target:
        put_image(source, "pause:1", make_image("pause"))
        options = {"canonical": f"{source.host}/pause:1", "download": f"{target.host}/pause:1"}
        found = copied_and_loaded("KopsCopyImageOperator", options)
    assert found == ["copied", []]


@pytest.mark.usefixtures("no_credentials")
def test_a_copy_to_s3_does_not_load_googles_sdk():
    """Amazon's alone."""
    with FileServer({"/kubelet": DATA}) as source, S3Server(["kops"]) as s3:
        options = {
            "canonical": f"{source.url}/kubelet",
            "download": "https://files.example.com/kubelet",
            "sha": hashlib.sha256(DATA).hexdigest(),
            "file_targets": {"https://files.example.com": "s3://kops"},
        }
        extra = {**AWS["extra"], "endpoint_url": s3.url}
        env = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps({**AWS, "extra": extra})}
        found = copied_and_loaded("KopsCopyFileOperator", options, **env)
    assert found == ["copied", ["boto3"]]


def test_nobody_looks_for_the_name_of_who_calls(monkeypatch):
    """Airflow's hook puts it into a header, and reads the source of all of the stack for it."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(AWS))
    s3, _ = S3FileRepositoryHook().get_client()
    ecr = aws_client(aws_hook("ecr", "aws_default", "eu-west-1"))
    for client, region in ((s3, "us-east-1"), (ecr, "eu-west-1")):
        assert client.meta.region_name == region
        assert "Caller/" not in (client.meta.config.user_agent_extra or "")


@pytest.mark.parametrize(
    "dag_file",
    [
        "import kops_assets_provider.dag_factory",
        "import kops_assets_provider.sensors.ready",
        "from kops_assets_provider.dag_factory import kops_copy_assets_dag\n"
        "kops_copy_assets_dag('prod', cluster_spec='prod.yaml', kops_version='1.36.2')",
    ],
    ids=["dag_factory", "sensor", "dag"],
)
def test_a_dag_file_loads_nothing_that_only_a_task_needs(dag_file):
    """Each task reads its DAG file before it does anything."""
    command = [sys.executable, "-c", READ, dag_file, json.dumps(WORK)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout.splitlines()[-1]) == []
