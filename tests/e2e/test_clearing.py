"""
Failed copies that are cleared, one by one and together, under a real Airflow.

Both ways of the UI's dialog are gone: with *Only failed* and without. Each way has a DAG of its
own, with the same assets at the source; what was missing there comes in the course of the tests.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.shared_airflow import add_dags
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

DAG_IDS = {"only_failed": True, "all_that_is_chosen": False}
GOOD = {"image-there", "file-there"}
LATE = ["image-a", "file-a", "image-b", "image-c", "file-b"]
ONE_BY_ONE, TOGETHER = LATE[:2], LATE[2:]
DAGS = """
from kops_assets_provider.dag_factory import kops_copy_assets_dag  # from a provider of Airflow's

dags = [kops_copy_assets_dag(x, **options) for x, options in {options!r}.items()]
"""


def is_image(name):
    return name.startswith("image")


@dataclass
class World:
    airflow: LocalAirflow
    source: OciRegistryServer
    files: FileServer
    target: OciRegistryServer
    home: Path

    def add(self, path, name):
        """Put an asset to the source, below the path of one DAG."""
        if is_image(name):
            put_image(self.source, f"{path}/{name}:1", make_image(name))
        else:
            self.files.put(f"/{path}/{name}", name.encode())

    def options(self, dag_id):
        """Return the options of a DAG, and write the list that they name."""
        names = [*GOOD, *LATE]
        images = (f"{dag_id}/{x}:1" for x in names if is_image(x))
        files = ((f"{dag_id}/{x}", x.encode()) for x in names if not is_image(x))
        assets = asset_list(
            f"{dag_id.replace('_', '-')}.example.com",
            ((f"{self.source.host}/{x}", f"{self.target.host}/{x}") for x in images),
            ((f"{self.files.url}/{x}", f"https://files.example.com/{x}", y) for x, y in files),
        )
        path = self.home / f"{dag_id}.json"
        path.write_text(json.dumps(assets))
        return {
            "asset_list": str(path),
            "file_targets": {"https://files.example.com": str(self.home / "mirror")},
            "record_url": str(self.home / "records" / dag_id),
        }


@dataclass
class Run:
    """A run of one of the DAGs, and how it is cleared."""

    world: World
    dag_id: str
    run_id: str = ""

    def copies(self):
        """Return the copies by the end of their asset's name."""
        found = self.world.airflow.api.task_instances(self.dag_id, self.run_id)
        return {
            name_of(x["rendered_map_index"]): x for x in found if x["task_id"].startswith("copy_")
        }

    def tries(self):
        return {name: x["try_number"] for name, x in self.copies().items()}

    def wait(self):
        return self.world.airflow.api.wait(self.dag_id, self.run_id, timeout=300)["state"]

    def report(self):
        return self.world.airflow.api.xcom(self.dag_id, self.run_id, "report", "report")

    def failed(self):
        """Return what the report calls failed."""
        return {name_of(x["canonical"]) for x in self.report()["assets"] if x["state"] == "failed"}

    def clear(self, *names):
        """Put assets to the source, clear their copies at once, and return what was cleared."""
        copies = self.copies()
        for name in names:
            self.world.add(self.dag_id, name)
        chosen = [[copies[x]["task_id"], copies[x]["map_index"]] for x in names]
        cleared = self.world.airflow.api.clear(
            self.dag_id, self.run_id, chosen, only_failed=DAG_IDS[self.dag_id]
        )
        assert {(x["task_id"], x["map_index"]) for x in cleared} == {
            *map(tuple, chosen),
            ("report", -1),
        }


def name_of(canonical):
    return canonical.removesuffix(":1").rpartition("/")[2]


@pytest.fixture(scope="module")
def runs(airflow, tmp_path_factory):
    """Let both DAGs run with only the good assets there."""
    tmp = tmp_path_factory.mktemp("clearing")
    with ExitStack() as stack:
        source, target = (stack.enter_context(OciRegistryServer()) for _ in range(2))
        files = stack.enter_context(FileServer({}))
        world = World(airflow, source, files, target, tmp)
        options = {dag_id: world.options(dag_id) for dag_id in DAG_IDS}
        add_dags(airflow, "clearing", DAGS.format(options=options))
        found = {dag_id: Run(world, dag_id) for dag_id in DAG_IDS}
        for dag_id, run in found.items():
            for name in GOOD:
                world.add(dag_id, name)
            run.run_id = airflow.api.trigger(dag_id)
        for run in found.values():
            run.wait()
        yield found


@pytest.fixture(scope="module", params=DAG_IDS)
def run(runs, request):
    return runs[request.param]


def test_the_report_names_all_that_failed(run):
    """Each by its name and why, at the first try; the run is not green."""
    assert run.wait() == "failed"
    assert run.failed() == set(LATE)
    assert {name for name, x in run.copies().items() if x["state"] == "failed"} == set(LATE)
    assert set(run.tries().values()) == {1}
    errors = [x["error"] for x in run.report()["assets"] if x["state"] == "failed"]
    assert {x["type"] for x in errors} == {"NotFoundError"}


@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_one_is_cleared_and_the_report_follows(run, name):
    """One failure fewer, the others as before; no other copy runs again."""
    failed, tries = run.failed(), run.tries()
    assert name in failed
    run.clear(name)
    assert run.wait() == "failed"
    assert run.failed() == failed - {name}
    assert run.tries() == tries | {name: 2}


def test_one_that_is_still_missing_is_told_again(run):
    """Cleared too early, it fails as before, and the report tells no less."""
    failed, copies = run.failed(), run.copies()
    (name,) = TOGETHER[:1]
    api = run.world.airflow.api
    chosen = [[copies[name]["task_id"], copies[name]["map_index"]]]
    api.clear(run.dag_id, run.run_id, chosen, only_failed=DAG_IDS[run.dag_id])
    assert run.wait() == "failed"
    assert run.failed() == failed
    assert run.tries()[name] == 2


def test_the_rest_is_cleared_together(run):
    """In one call, images and files: the run is green, and only they and the report ran again."""
    tries = run.tries()
    run.clear(*TOGETHER)
    assert run.wait() == "success"
    assert run.tries() == tries | {name: tries[name] + 1 for name in TOGETHER}
    assert {run.tries()[name] for name in GOOD} == {1}


def test_the_report_and_the_record_show_all_copied(run):
    """Those that were copied at first, and those that were cleared; and they are there."""
    report = run.report()
    assert report["ready"]
    assert report["counts"] == {"copied": len(GOOD) + len(LATE)}
    (path,) = (run.world.home / "records" / run.dag_id).iterdir()
    states = Counter(x["state"] for x in json.loads(path.read_text())["assets"])
    assert states == report["counts"]
    for name in {*GOOD, *LATE}:
        assert is_right(run, name)


def is_right(run, name):
    if is_image(name):
        found = pull_image(run.world.target.url, f"{run.dag_id}/{name}", "1")
        return found == make_image(name)
    path = run.world.home / "mirror" / run.dag_id / name
    return path.read_bytes() == name.encode()
