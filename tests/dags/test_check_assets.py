"""The DAG that only checks: it tells what is missing or wrong, and writes nothing."""

import json
from collections import Counter

import pytest

from kops_assets_provider.dag_factory import kops_check_assets_dag, kops_copy_assets_dag
from tests.airflow_versions import run_in_process

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def run(mirror, dags, monkeypatch):
    """Run a DAG with the mirror's options in the Variable; give the run and its instances."""

    def run_dag(dag_id, conf=None, **changes):
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(mirror.options | changes))
        found = run_in_process(dags[dag_id], conf)
        return found, found.get_task_instances()

    return run_dag


def report(instances, task_id):
    (instance,) = (x for x in instances if x.task_id == task_id)
    return instance.xcom_pull(task_ids=task_id, key="report")


def test_an_empty_mirror_is_not_ready(run, mirror):
    """Everything is missing, the run fails, and no server is written to."""
    found, instances = run("kops_check_assets")
    assert str(found.state) == "failed"
    assert Counter(x.task_id for x in instances) == {"get_assets": 1, "check": 1}
    assets = len(mirror.assets["images"]) + len(mirror.assets["files"])
    assert report(instances, "check")["counts"] == {"missing": assets}
    assert {x.method for x in mirror.target.requests} == {"HEAD"}
    assert not mirror.target_files.exists()


def test_a_whole_mirror_is_ready(run, few):
    """After a copy nothing is missing; what is damaged then is found, also by the form's deep."""
    run("kops_copy_assets_manual")
    found, instances = run("kops_check_assets", conf={"deep": True})
    assert str(found.state) == "success"
    assert set(report(instances, "check")["counts"]) == {"present"}
    file = next(x for x in few.target_files.rglob("kubelet"))
    file.write_bytes(file.read_bytes()[:-1])
    found, instances = run("kops_check_assets")
    assert str(found.state) == "failed"
    assert report(instances, "check")["counts"]["wrong"] == 1


def test_a_misspelt_option_is_an_error():
    """As in the DAG that copies."""
    with pytest.raises(TypeError, match="unknown options dep;"):
        kops_check_assets_dag("x", dep=True)


def test_copies_may_have_a_pool():
    """All of them, and nothing else, take a slot of it."""
    dag = kops_copy_assets_dag("x", cluster_spec="c.yaml", copy_pool="mirror")
    pools = {x.task_id: (x.partial_kwargs if x.is_mapped else vars(x))["pool"] for x in dag.tasks}
    assert {k for k, v in pools.items() if v == "mirror"} == {"copy_image", "copy_file"}
