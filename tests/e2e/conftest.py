"""One Airflow for all files that need none of their own: its start takes 20 seconds of CPU."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.local_airflow import LocalAirflow

SHIPPED = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="session")
def _shared_airflow(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("shared")
    shutil.copytree(SHIPPED, tmp / "dags")
    env = {
        # The API server reads records there for tests/e2e/test_page.py.
        "AIRFLOW__KOPS_ASSETS__ALLOWED_RECORD_URLS": "/srv/x, s3://kops/records",
        # Two DAGs at a time may have all that runs.
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "8",
    }
    with ExitStack() as stack:
        airflow = LocalAirflow(tmp / "airflow", tmp / "dags", env=env, parallelism=16)
        yield stack.enter_context(airflow), stack


@pytest.fixture(scope="module")
def airflow(_shared_airflow, request):
    """
    An Airflow with the shipped DAGs, for DAGs of one's own see ``shared_airflow.add_dags``.

    ``ONE_AIRFLOW`` in tests/conftest.py names the files, so that one process runs all of them.
    """
    yield _shared_airflow[0]
    users = [x.path for x in request.session.items if "airflow" in x.fixturenames]
    if request.path == users[-1]:
        _shared_airflow[1].close()
