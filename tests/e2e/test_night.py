"""
A night that goes wrong, under a real Airflow: one bad asset, one rate limit, one killed task.

The bad one fails and stops no other; the limited one gives its slot back until the server has time,
and uses up no retry; the killed one is tried again. The report tells all of it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.airflow_versions import HAS_TASK_STATE
from tests.e2e.shared_airflow import add_dags
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAG_ID = "night"
CLUSTER = "night.example.com"
IMAGES = ["good", "limited", "missing"]
FILES = {"quick": b"quick" * 1000, "killed": b"killed" * 1000}
DAG = """
import pathlib

from airflow.sdk import DAG, task
from kops_assets_provider.dag_factory import kops_copy_assets_dag
from kops_assets_provider.airflow_assets import ready_asset


def tell(context):
    with pathlib.Path({told!r}).open("a") as file:
        file.write(str(context["kops_report"]["ready"]) + " ")


dag = kops_copy_assets_dag("night", on_readiness_change=[tell], **{options!r})

with DAG(
    "rolling_update", schedule=[ready_asset({cluster!r})], is_paused_upon_creation=False
):

    @task
    def update(triggering_asset_events=None):
        (event,) = triggering_asset_events[ready_asset({cluster!r})]
        return event.extra["counts"]

    update()
"""
PATIENCE = 17  # seconds that the registry asks for: more than a task waits by itself


@dataclass
class Night:
    airflow: LocalAirflow
    source: OciRegistryServer
    files: FileServer
    home: Path
    run_id: str = ""

    def copies(self):
        """Return the copies by the end of their asset's name."""
        found = self.airflow.api.task_instances(DAG_ID, self.run_id)
        names = [*IMAGES, *FILES]
        return {
            name: x
            for x in found
            for name in names
            if (x["rendered_map_index"] or "").removesuffix(":1").endswith(f"/{name}")
        }

    def rolling_updates(self):
        """Return the runs of the DAG that waits for the mirror."""
        return self.airflow.api.request("GET", "/api/v2/dags/rolling_update/dagRuns")["dag_runs"]

    def told(self):
        """Return what the notifier was told so far."""
        return (self.home / "told").read_text().split()

    def report(self):
        return self.airflow.api.xcom(DAG_ID, self.run_id, "report", "report")


@pytest.fixture(scope="module")
def night(airflow, tmp_path_factory):
    """Run the night to its end."""
    tmp = tmp_path_factory.mktemp("night")
    with ExitStack() as stack:
        source, target = (stack.enter_context(OciRegistryServer()) for _ in range(2))
        files = stack.enter_context(FileServer({f"/{k}": v for k, v in FILES.items()}))
        for name in IMAGES[:2]:
            put_image(source, f"{name}:1", make_image(name))
        assets = asset_list(
            CLUSTER,
            [(f"{source.host}/{x}:1", f"{target.host}/kops/{x}:1") for x in IMAGES],
            [(f"{files.url}/{x}", f"https://files.example.com/{x}", y) for x, y in FILES.items()],
        )
        (tmp / "list.json").write_text(json.dumps(assets))
        options = {
            "asset_list": str(tmp / "list.json"),
            "cluster_name": CLUSTER,
            "kops_version": "1.36.2",
            "file_targets": {"https://files.example.com": str(tmp / "mirror")},
            "record_url": str(tmp / "records"),
        }
        dags = DAG.format(options=options, told=str(tmp / "told"), cluster=CLUSTER)
        add_dags(airflow, "night", dags)
        found = Night(airflow, source, files, tmp)
        busy = {"Retry-After": str(PATIENCE)}
        source.inject(Fault("GET", "/limited/blobs/", status=429, headers=busy))
        files.inject(Fault("GET", "/killed", stall_after=10))
        found.run_id = airflow.api.trigger(DAG_ID)
        kill_the_task_that_waits(found)
        airflow.api.wait(DAG_ID, found.run_id, timeout=300)
        yield found


def kill_the_task_that_waits(night):
    """Kill the process of the copy that a silent server keeps waiting."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        time.sleep(0.5)
        copies = night.airflow.api.task_instances(DAG_ID, night.run_id)
        copies = [x for x in copies if x["task_id"] == "copy_file" and x["state"] != "success"]
        if any(x["try_number"] > 1 for x in copies):
            return  # it is gone already, whoever did it
        # The last one is it: in Airflow 3.1 a copy has no name before it has ended.
        copy = copies[0] if len(copies) == 1 else {}
        if night.files.count("GET", "/killed") and copy.get("state") == "running":
            # What Airflow tells may be of a moment ago: then it is asked again.
            with suppress(ProcessLookupError):
                os.kill(copy["pid"], signal.SIGKILL)
                return
    raise AssertionError(f"the copy could not be killed: {copy}")


def test_the_bad_one_fails_and_no_other(night):
    """At its first try, since asking again makes no image; the report says why."""
    assert night.airflow.api.dag_run(DAG_ID, night.run_id)["state"] == "failed"
    copies = night.copies()
    assert Counter(x["state"] for x in copies.values()) == {"success": 4, "failed": 1}
    assert (copies["missing"]["state"], copies["missing"]["try_number"]) == ("failed", 1)
    report = night.report()
    assert report["counts"] == {"copied": 4, "failed": 1}
    (bad,) = (x for x in report["assets"] if x["state"] == "failed")
    assert bad["error"]["type"] == "NotFoundError"
    assert night.told() == ["False"]
    assert night.rolling_updates() == []


def test_the_limited_one_came_back_without_a_retry(night):
    """One try, whose log tells of the wait that the server asked for; before 3.3 a retry it is."""
    limited = night.copies()["limited"]
    assert (limited["state"], limited["try_number"]) == ("success", 1 if HAS_TASK_STATE else 2)
    log = night.airflow.api.log(DAG_ID, night.run_id, "copy_image", map_index=limited["map_index"])
    waits = re.findall(r"the slot is given back for (\d+) seconds", log)
    assert len(waits) == (1 if HAS_TASK_STATE else 0)
    assert all(int(x) >= PATIENCE for x in waits)
    asked = [x.status for x in night.source.requests if "/limited/blobs/" in x.path]
    assert asked.count(429) == 1


def test_the_killed_one_was_tried_again(night):
    """Nothing of the first try was visible, and the second one finished."""
    killed = night.copies()["killed"]
    assert killed["state"] == "success"
    assert killed["try_number"] >= 2


def test_the_page_is_green_once_the_bad_one_is_mended(night):
    """The failed copy is cleared with its downstream: it runs again, and the report follows."""
    put_image(night.source, "missing:1", make_image("missing"))
    index = night.copies()["missing"]["map_index"]
    night.airflow.api.clear(DAG_ID, night.run_id, [["copy_image", index]], only_failed=False)
    assert night.airflow.api.wait(DAG_ID, night.run_id, timeout=300)["state"] == "success"
    assert night.report()["counts"] == {"copied": 5}
    (record,) = (night.home / "records").glob("*.json")
    assert {x["state"] for x in json.loads(record.read_text())["assets"]} == {"copied"}


def test_who_waited_for_the_mirror_goes_on(night):
    """The rolling update runs once the mirror is whole, and knows what is in it."""
    until = time.monotonic() + 300
    while not (runs := night.rolling_updates()) and time.monotonic() < until:
        time.sleep(0.5)
    (run,) = runs
    api = night.airflow.api
    assert api.wait("rolling_update", run["dag_run_id"], timeout=300)["state"] == "success"
    assert api.xcom("rolling_update", run["dag_run_id"], "update", "return_value") == {"copied": 5}
    assert night.told() == ["False", "True"]
