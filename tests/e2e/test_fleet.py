"""
A night of a fleet under a real Airflow: what clusters share is copied once, each is told apart.

Three clusters of one group: all is well with one, an image is missing for the second, and the third
cannot be listed. The first is ready all the same, and who waits for it goes on.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.shared_airflow import add_dags
from tests.support.asset_lists import asset_list
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.oci_registry import OciRegistryServer

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAG_ID = "kops_copy_assets_production"
GOOD, BAD, UNLISTED = (f"{x}.example.com" for x in ("good", "bad", "unlisted"))
IMAGES = {GOOD: ["shared", "own"], BAD: ["shared", "missing"]}
DAGS = """
from airflow.sdk import DAG, task
from kops_assets_provider.dag_factory import kops_copy_fleet_dags
from kops_assets_provider.airflow_assets import ready_asset

kops_copy_fleet_dags({fleet!r}, dag_options={{"is_paused_upon_creation": False}})

with DAG("update_good", schedule=[ready_asset({good!r})], is_paused_upon_creation=False):

    @task
    def update(triggering_asset_events=None):
        (event,) = triggering_asset_events[ready_asset({good!r})]
        return event.extra["counts"]

    update()
"""


@dataclass
class Fleet:
    airflow: LocalAirflow
    source: OciRegistryServer
    target: OciRegistryServer
    records: Path
    run_id: str = ""
    times: dict[str, str] = field(default_factory=dict)

    def states(self, task_id):
        """Return the states of a task's instances by their names, numbers before they have one."""
        found = self.airflow.api.task_instances(DAG_ID, self.run_id)
        own = [x for x in found if x["task_id"] == task_id]
        return {x["rendered_map_index"] or x["map_index"]: x["state"] for x in own}

    def record(self, cluster):
        return json.loads((self.records / f"{cluster}.json").read_text())


@pytest.fixture(scope="module")
def fleet(airflow, tmp_path_factory):
    """Run the night to its end."""
    tmp = tmp_path_factory.mktemp("fleet")
    with ExitStack() as stack:
        source, target = (stack.enter_context(OciRegistryServer()) for _ in range(2))
        for name in ("shared", "own"):
            put_image(source, f"{name}:1", make_image(name))
        (tmp / "fleet.yaml").write_text(json.dumps({"groups": {"production": group(tmp)}}))
        for cluster, names in IMAGES.items():
            save(tmp / f"{cluster}.json", cluster, source, target, names)
        add_dags(airflow, "fleet", DAGS.format(fleet=str(tmp / "fleet.yaml"), good=GOOD))
        found = Fleet(airflow, source, target, tmp / "records")
        found.run_id = airflow.api.trigger(DAG_ID)
        airflow.api.wait(DAG_ID, found.run_id, timeout=300)
        yield found


def group(tmp):
    """The group as its owner writes it: JSON is YAML, too."""
    clusters = {x: {"asset_list": str(tmp / f"{x}.json")} for x in (*IMAGES, UNLISTED)}
    places = {"record_url": str(tmp / "records"), "report_url": str(tmp / "records")}
    return {"kops_version": "1.36.2", **places, "clusters": clusters}


def save(path, cluster, source, target, names):
    images = [(f"{source.host}/{x}:1", f"{target.host}/kops/{x}:1") for x in names]
    path.write_text(json.dumps(asset_list(cluster, images)))


def test_what_is_shared_is_planned_and_copied_once(fleet):
    """Three images for four references; each is a task with its name."""
    assert Counter(fleet.states("copy_image").values()) == {"success": 2, "failed": 1}
    (put,) = (x for x in fleet.target.requests if (x.method, x.path) == ("PUT", SHARED))
    assert put.status == 201


SHARED = "/v2/kops/shared/manifests/1"


def test_each_cluster_is_told_apart(fleet):
    """A task for each, which bears its name; the whole group's report is the last leaf."""
    assert fleet.states("publish_readiness") == {GOOD: "success", BAD: "failed", UNLISTED: "failed"}
    assert fleet.airflow.api.dag_run(DAG_ID, fleet.run_id)["state"] == "failed"
    report = fleet.airflow.api.xcom(DAG_ID, fleet.run_id, "report", "report")
    assert report["counts"] == {"copied": 2, "failed": 1}
    assert report["clusters"][GOOD] == {
        "ready": True,
        "counts": {"copied": 2},
        "sent": report["clusters"][GOOD]["sent"],
    }
    assert report["clusters"][BAD]["counts"] == {"copied": 1, "failed": 1}
    assert "unlisted.example.com.json" in report["clusters"][UNLISTED]["error"]


def test_each_has_its_record_and_report(fleet):
    """As if it were mirrored alone."""
    assert {x["state"] for x in fleet.record(GOOD)["assets"]} == {"copied"}
    assert {x["state"] for x in fleet.record(BAD)["assets"]} == {"copied", "failed"}
    assert "The mirror is ready" in (fleet.records / f"{GOOD}.report.html").read_text()
    assert not (fleet.records / f"{UNLISTED}.json").exists()


def test_who_waits_for_the_ready_one_goes_on(fleet):
    """One bad asset of another cluster does not silence it."""
    api = fleet.airflow.api
    until = time.monotonic() + 300
    while not (runs := updates(api)) and time.monotonic() < until:
        time.sleep(0.5)
    (run,) = runs
    assert api.wait("update_good", run["dag_run_id"], timeout=300)["state"] == "success"
    assert api.xcom("update_good", run["dag_run_id"], "update", "return_value") == {"copied": 2}


def updates(api):
    return api.request("GET", "/api/v2/dags/update_good/dagRuns")["dag_runs"]


def test_mended_and_cleared_all_is_green(fleet):
    """By clearing what failed with its downstream, as the report's advice says."""
    put_image(fleet.source, "missing:1", make_image("missing"))
    (fleet.records.parent / f"{UNLISTED}.json").write_text(
        (fleet.records.parent / f"{GOOD}.json").read_text().replace(GOOD, UNLISTED)
    )
    fleet.airflow.api.clear(DAG_ID, fleet.run_id, ["get_assets"], only_failed=False)
    assert fleet.airflow.api.wait(DAG_ID, fleet.run_id, timeout=300)["state"] == "success"
    assert set(fleet.states("publish_readiness").values()) == {"success"}
    assert {x["state"] for x in fleet.record(UNLISTED)["assets"]} == {"present"}
    report = fleet.airflow.api.xcom(DAG_ID, fleet.run_id, "report", "report")
    assert report["counts"] == {"present": 2, "copied": 1}
