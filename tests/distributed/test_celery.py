"""
The DAG on CeleryExecutor, with two workers of which one is killed while it copies.

Nobody helps: the other worker tries what was lost again, and the run ends with a whole mirror.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.asset_lists import asset_list
from tests.support.celery_airflow import WORKERS, CeleryAirflow
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.postgresql import postgresql
from tests.support.redis import redis
from tests.support.reread import wrong_assets

pytestmark = [pytest.mark.distributed, pytest.mark.timeout(900)]

CLUSTER = "big.example.com"
IMAGES = [f"image{x:02}:v1" for x in range(12)]
FILES = {f"file{x:02}": f"content of file {x}\n".encode() * 20_000 for x in range(8)}
DOWNLOADS = "https://files.example.com"
# How long each copy takes at least, so that both workers have some when one dies.
SECONDS = 8.0
DAG = """
# Airflow reads only files with this word in them.
from datetime import timedelta

from kops_assets_provider.dag_factory import kops_copy_assets_dag

dag = kops_copy_assets_dag(
    "mirror",
    dag_options={{"default_args": {{"retries": 3, "retry_delay": timedelta(seconds=2)}}}},
    **{options!r},
)
"""


@dataclass
class World:
    airflow: CeleryAirflow
    source: OciRegistryServer
    target: OciRegistryServer
    files: FileServer
    directory: Path
    assets: dict
    digests: dict
    run_id: str = ""
    lost: list = field(default_factory=list)

    def copies(self):
        """Return the copies, by the end of the name of their asset."""
        found = self.airflow.api.task_instances("mirror", self.run_id)
        names = [*IMAGES, *FILES]
        return {
            name: x
            for x in found
            for name in names
            if (x["rendered_map_index"] or "").endswith(f"/{name}")
        }

    def attempts(self, copy):
        """Return all tries of a copy."""
        path = f"/api/v2/dags/mirror/dagRuns/{self.run_id.replace('+', '%2B')}/taskInstances/"
        path += f"{copy['task_id']}/{copy['map_index']}/tries"
        return self.airflow.api.request("GET", path)["task_instances"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Run the DAG to its end, and kill a worker on the way."""
    tmp = tmp_path_factory.mktemp("distributed")
    with ExitStack() as stack:
        enter = stack.enter_context
        source, target = (enter(OciRegistryServer()) for _ in range(2))
        files = enter(FileServer({f"/{name}": raw for name, raw in FILES.items()}))
        images = {x: make_image(x, size=200_000) for x in IMAGES}
        for name, image in images.items():
            put_image(source, name, image)
        digests = {f"{source.host}/{x}": image.digest for x, image in images.items()}
        assets = asset_list(
            CLUSTER,
            [(x, f"{target.host}/kops/{x.partition('/')[2]}") for x in digests],
            [(f"{files.url}/{x}", f"{DOWNLOADS}/{x}", raw) for x, raw in FILES.items()],
        )
        (tmp / "list.json").write_text(json.dumps(assets))
        options = {"asset_list": str(tmp / "list.json"), "record_url": str(tmp / "records")}
        options |= {"file_targets": {DOWNLOADS: str(tmp / "mirror")}}
        (tmp / "dags").mkdir()
        (tmp / "dags/mirror.py").write_text(DAG.format(options=options))
        database, broker = enter(postgresql("airflow")), enter(redis(tmp))
        airflow = enter(CeleryAirflow(tmp / "airflow", tmp / "dags", database, broker))
        slow = {"times": None, "delay": SECONDS}
        source.inject(Fault("GET", "/blobs/", **slow))
        files.inject(Fault("GET", **slow))
        found = World(airflow, source, target, files, tmp, assets, digests)
        found.run_id = airflow.api.trigger("mirror")
        kill_one(found)
        airflow.api.wait("mirror", found.run_id, timeout=600)
        yield found


def kill_one(world):
    """Kill the first worker once it has copied something, and both of them copy."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        copies = world.copies().values()
        running = [x for x in copies if x["state"] == "running"]
        hosts = Counter(x["hostname"] for x in running)
        is_done = any(x["state"] == "success" and x["hostname"] == WORKERS[0] for x in copies)
        if is_done and min(hosts[x] for x in WORKERS) >= 2:
            world.airflow.kill_worker(WORKERS[0])
            world.lost = [x for x in running if x["hostname"] == WORKERS[0]]
            return
        time.sleep(0.5)
    raise AssertionError(f"both workers never copied at once: {hosts}")


def test_the_run_ends_complete_without_a_hand(world):
    """Every asset is at the target, each byte read again, and nothing half-made is left."""
    assert world.airflow.api.dag_run("mirror", world.run_id)["state"] == "success"
    images = {"images": world.assets["images"], "files": []}
    assert wrong_assets(images, world.digests) == []
    found = {x.name: x.read_bytes() for x in (world.directory / "mirror").iterdir()}
    side_cars = {f"{x}.sha256" for x in FILES}
    assert found.keys() == FILES.keys() | side_cars
    assert {x: found[x] for x in FILES} == FILES
    report = world.airflow.api.xcom("mirror", world.run_id, "report", "report")
    assert report["counts"] == {"copied": len(IMAGES) + len(FILES)}


def test_both_workers_shared_the_copies(world):
    """And the one that was left did what the other one had begun."""
    assert len(world.lost) >= 2
    done = Counter(x["hostname"] for x in world.copies().values())
    assert set(done) == set(WORKERS)
    assert done[WORKERS[1]] >= len(world.lost)
    for copy in world.lost:
        first, *_, last = world.attempts(copy)
        assert (first["hostname"], last["hostname"]) == WORKERS
        assert (last["state"], last["try_number"] >= 2) == ("success", True)


def test_what_it_took(world, capsys):
    """The evidence: what was copied by whom, and what was sent twice."""
    lost = {x["rendered_map_index"] for x in world.lost}
    lines = [f"{'asset':<12}{'worker':<12}{'tries':>6}{'seconds':>9}"]
    for name, copy in sorted(world.copies().items()):
        mark = "  was on the worker that was killed" if copy["rendered_map_index"] in lost else ""
        seconds = f"{copy['duration']:.1f}"
        lines.append(f"{name:<12}{copy['hostname']:<12}{copy['try_number']:>6}{seconds:>9}{mark}")
    with capsys.disabled():
        print("", versions(), "", *lines, "", *sent_twice(world), sep="\n")


def versions():
    names = ("apache-airflow", "apache-airflow-providers-celery", "celery", "kombu", "redis")
    return ", ".join(f"{x} {version(x)}" for x in names)


def sent_twice(world):
    """Return how often what was read at the sources, and what was left at the target."""
    files = Counter(x.path for x in world.files.requests if x.method == "GET")
    blobs = Counter(
        x.path for x in world.source.requests if x.method == "GET" and "/blobs/" in x.path
    )
    uploads = [x for x in world.target.requests if x.method == "PUT" and "/blobs/" in x.path]
    yield f"files read twice: {sum(x > 1 for x in files.values())} of {len(files)}"
    yield f"blobs read twice: {sum(x > 1 for x in blobs.values())} of {len(blobs)}"
    yield f"{len(uploads)} uploads of blobs, {world.target.storage.open_uploads} left open"
