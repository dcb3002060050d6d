"""
A nightly run and one by hand at once, of two DAGs and on the same targets, under a real Airflow.

The sources give nothing away before both runs ask for it, and then byte by byte: so every asset is
copied twice at the same time.
"""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.shared_airflow import add_dags
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image
from tests.support.reread import wrong_assets

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAG_IDS = ["nightly", "by_hand"]
CLUSTER = "twice.example.com"
# Different bases: of a shared layer a copy may mount what the other has uploaded.
IMAGES = {x: make_image(x, platforms=["linux/amd64"], seed=x) for x in ("one", "two")}
FILES = {"three": b"3" * 4000, "four": b"4" * 5000}
PATIENCE = 50  # seconds; a little less than the client's
# Airflow makes an asset at its first event, and of two first events at once it fails one's task: so
# there was one before, as by any night before this one.
DAGS = """
from airflow.sdk import DAG, task

from kops_assets_provider.dag_factory import kops_copy_assets_dag
from kops_assets_provider.airflow_assets import READY, ready_asset

dags = [kops_copy_assets_dag(x, **{options!r}) for x in {dag_ids!r}]

with DAG("night_before"):

    @task(outlets=[READY])
    def publish(outlet_events=None):
        outlet_events[READY].add(ready_asset({cluster!r}))

    publish()
"""


class Meeting:
    """A server whose bodies of assets wait until two have asked for the same one."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.meetings = {}

    def expect(self, *paths):
        self.meetings = {path: threading.Barrier(2) for path in paths}

    def answer(self, request):
        if request.method == "GET" and (meeting := self.meetings.get(request.path)):
            meeting.wait(PATIENCE)
        return super().answer(request)


class Registry(Meeting, OciRegistryServer):
    pass


class Files(Meeting, FileServer):
    pass


@dataclass
class World:
    airflow: LocalAirflow
    source: Registry
    files: Files
    target: OciRegistryServer
    assets: dict
    home: Path
    runs: dict

    def report(self, dag_id):
        return self.airflow.api.xcom(dag_id, self.runs[dag_id], "report", "report")

    def copies(self, dag_id):
        """Return the copies' times by asset."""
        found = self.airflow.api.task_instances(dag_id, self.runs[dag_id])
        return {
            x["rendered_map_index"]: (x["start_date"], x["end_date"])
            for x in found
            if x["task_id"].startswith("copy_")
        }


@pytest.fixture(scope="module")
def world(airflow, tmp_path_factory):
    """Trigger both DAGs, and wait for both."""
    tmp = tmp_path_factory.mktemp("twice")
    (tmp / "mirror").mkdir()
    with ExitStack() as stack:
        start = stack.enter_context
        source, target = start(Registry()), start(OciRegistryServer())
        files = start(Files({f"/{name}": raw for name, raw in FILES.items()}))
        nodes = start(FileServer(tmp / "mirror"))
        fill(source, files)
        assets = list_assets(source, target, files, nodes)
        write_dags(airflow, tmp, assets, nodes.url)
        before = airflow.api.trigger("night_before")
        assert airflow.api.wait("night_before", before, timeout=300)["state"] == "success"
        runs = {dag_id: airflow.api.trigger(dag_id) for dag_id in DAG_IDS}
        for dag_id, run_id in runs.items():
            assert airflow.api.wait(dag_id, run_id, timeout=300)["state"] == "success"
        yield World(airflow, source, files, target, assets, tmp, runs)


def fill(source, files):
    """Put the images into the source, and arm both sources."""
    for name, image in IMAGES.items():
        put_image(source, f"{name}:1", image)
    source.expect(*(f"/v2/{x}/blobs/{y}" for x, image in IMAGES.items() for y in image.blobs))
    files.expect(*(f"/{name}" for name in FILES))
    source.inject(Fault("GET", "/blobs/", times=None, drip=0.0005))
    files.inject(Fault("GET", times=None, drip=0.0005))


def list_assets(source, target, files, nodes):
    return asset_list(
        CLUSTER,
        [(f"{source.host}/{x}:1", f"{target.host}/kops/{x}:1") for x in IMAGES],
        [(f"{files.url}/{x}", f"{nodes.url}/a/{x}", raw) for x, raw in FILES.items()],
    )


def write_dags(airflow, tmp, assets, nodes_url):
    (tmp / "list.json").write_text(json.dumps(assets))
    options = {
        "asset_list": str(tmp / "list.json"),
        "file_targets": {nodes_url: str(tmp / "mirror")},
        "record_url": str(tmp / "records"),
    }
    values = {"options": options, "dag_ids": DAG_IDS, "cluster": CLUSTER}
    add_dags(airflow, "twice", DAGS.format(**values))


def test_both_copied_the_same_at_the_same_time(world):
    """Otherwise the tests below would tell nothing: each asset was under way in both runs."""
    nightly, by_hand = map(world.copies, DAG_IDS)
    assert nightly.keys() == by_hand.keys()
    assert len(nightly) == len(IMAGES) + len(FILES)
    for name, (start, end) in nightly.items():
        other_start, other_end = by_hand[name]
        assert max(start, other_start) < min(end, other_end), name
    for server in (world.source, world.files):
        assert not any(x.broken for x in server.meetings.values())
        assert all(server.count("GET", f"{path}$") >= 2 for path in server.meetings)


def test_both_runs_report_a_whole_mirror(world):
    """Neither is failed by the other: all is there, whoever was first."""
    for dag_id in DAG_IDS:
        report = world.report(dag_id)
        assert report["ready"]
        assert set(report["counts"]) <= {"copied", "present"}
        assert sum(report["counts"].values()) == len(IMAGES) + len(FILES)


def test_every_asset_is_right(world):
    """Read as nodes do: each byte of the images, the files and their side-cars."""
    digests = {
        x["canonical"]: image.digest
        for x, image in zip(world.assets["images"], IMAGES.values(), strict=True)
    }
    assert wrong_assets(world.assets, digests) == []
    for name, image in IMAGES.items():
        assert pull_image(world.target.url, f"kops/{name}", "1") == image


def test_the_record_is_whole(world):
    """Of one run or the other, and not of half of each: it knows every asset."""
    (path,) = (world.home / "records").iterdir()
    record = json.loads(path.read_text())
    assert path.name == f"{CLUSTER}.json"
    assert record["run"] in world.runs.values()
    known = {(x["kind"], x["canonical"]): x for x in record["assets"]}
    kinds = {"image": "images", "file": "files"}
    assert known.keys() == {(k, x["canonical"]) for k, n in kinds.items() for x in world.assets[n]}
    assert {x["state"] for x in known.values()} <= {"copied", "present"}
    assert all(x["verified_at"] and x["target"] for x in known.values())


def test_nothing_else_is_left(world):
    """Beside the files and their side-cars there is nothing, under whatever name."""
    found = {x.name for x in (world.home / "mirror").rglob("*") if not x.is_dir()}
    assert found == {f"{name}{end}" for name in FILES for end in ("", ".sha256")}
