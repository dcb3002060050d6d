"""A real Airflow: it starts, runs a DAG, answers questions, and leaves nothing behind."""

from __future__ import annotations

import stat
import subprocess
import time

import pytest

from kops_assets_provider.exceptions import PermanentError
from tests.support.local_airflow import LocalAirflow
from tests.support.processes import ComponentFailedError, find_program

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAG = """
import time
from airflow.sdk import dag, task

@dag
def doubling():
    @task
    def numbers(params=None, dag_run=None):
        print("numbers are on their way")
        time.sleep(dag_run.conf.get("sleep", 0))
        return [1, 2, 3]

    @task
    def double(number, ti=None, dag_run=None):
        if number == dag_run.conf.get("bad") and ti.try_number == 1:
            raise ValueError("a bad number")
        return 2 * number

    double.expand(number=numbers())

doubling()
"""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "airflow"


@pytest.fixture
def dags(tmp_path):
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "doubling.py").write_text(DAG)
    return folder


def wait_for_state(airflow, run_id, task_id, state, timeout=240):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        states = {t["task_id"]: t["state"] for t in airflow.api.task_instances("doubling", run_id)}
        if states.get(task_id) == state:
            return
        time.sleep(0.2)
    raise TimeoutError(states)


def states_of(instances):
    return {(task["task_id"], task["map_index"]): task["state"] for task in instances}


def test_two_starts_in_one_home(home, dags, listeners):
    """At the first a run fails and succeeds; the second knows of it, and Ctrl-C ends it."""
    check_run_fails_is_cleared_and_succeeds(home, dags, listeners)
    check_interrupt_leaves_nothing(home, dags)


def check_run_fails_is_cleared_and_succeeds(home, dags, listeners):
    """A run can be triggered, followed, inspected, and repeated in part."""
    with LocalAirflow(
        home, dags, env={"AIRFLOW_CONN_GIVEN": "http://given.example.com"}
    ) as airflow:
        assert listeners(airflow.processes()) == {f"127.0.0.1:{airflow.port}"}
        api = airflow.api
        run_id = api.trigger("doubling", {"bad": 2})
        seen = []
        assert api.wait("doubling", run_id, 300, seen.append)["state"] == "failed"
        assert states_of(seen[-1]) == {
            ("numbers", -1): "success",
            ("double", 0): "success",
            ("double", 1): "failed",
            ("double", 2): "success",
        }
        assert api.xcom("doubling", run_id, "numbers") == [1, 2, 3]
        assert api.xcom("doubling", run_id, "double", map_index=2) == 6
        assert "numbers are on their way" in api.log("doubling", run_id, "numbers")
        assert "a bad number" in api.log("doubling", run_id, "double", map_index=1)
        cleared = api.clear("doubling", run_id, [["double", 1]])
        assert [(task["task_id"], task["map_index"]) for task in cleared] == [("double", 1)]
        assert api.wait("doubling", run_id, 300)["state"] == "success"
        assert api.dag_run("doubling", run_id)["conf"] == {"bad": 2}
        check_connections(airflow)
        (dags / "broken.py").write_text("from airflow.sdk import no_such_dag\n")
        with pytest.raises(PermanentError, match="no_such_dag"):
            api.wait_for_dag("broken")
        (dags / "broken.py").unlink()
    assert airflow.processes() == []


def check_connections(airflow):
    """Connections come from the database, where they are replaced as a whole, and from env."""
    api = airflow.api
    api.add_connection("kept", "http", host="kept.example.com", password="secret")
    api.add_connection("stored", "http", host="one.example.com", extra={"a": 1})
    api.add_connection("stored", "http", host="two.example.com")
    hosts = {c["connection_id"]: (c["host"], c["extra"]) for c in api.connections()}
    assert hosts == {"kept": ("kept.example.com", None), "stored": ("two.example.com", None)}
    command = [find_program("airflow"), "connections", "get", "given", "-o", "plain"]
    shown = subprocess.run(command, env=airflow.env, capture_output=True, text=True)
    assert "given.example.com" in shown.stdout


def check_interrupt_leaves_nothing(home, dags):
    """Ctrl-C in the middle of a task ends everything, the task included."""
    airflow = LocalAirflow(home, dags)

    def interrupted():
        with airflow:
            assert "kept" in {x["connection_id"] for x in airflow.api.connections()}
            run_id = airflow.api.trigger("doubling", {"sleep": 600})
            wait_for_state(airflow, run_id, "numbers", "running")
            assert len(airflow.processes()) > 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert airflow.processes() == []


def test_secrets_are_private_and_different(tmp_path):
    """Only the owner can read the secrets, and each home has its own."""
    one, two = (LocalAirflow(tmp_path / name, tmp_path).env for name in ("one", "two"))
    for secret in ("AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY"):
        assert one[secret] != two[secret]
    assert stat.S_IMODE((tmp_path / "one" / "secrets.json").stat().st_mode) == 0o600
    assert (
        LocalAirflow(tmp_path / "one", tmp_path).env["AIRFLOW__CORE__FERNET_KEY"]
        == (one["AIRFLOW__CORE__FERNET_KEY"])
    )


def test_component_that_does_not_start_shows_its_log(home, dags):
    """A wrong setting is an error with the end of the log, and nothing is left."""
    airflow = LocalAirflow(home, dags, env={"AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor"})
    with pytest.raises(ComponentFailedError, match="NoSuchExecutor"):
        airflow.start()
    assert airflow.processes() == []
