"""
Copies that are stopped, under a real Airflow: by a user, and by ``execution_timeout``.

Their sources are of three kinds: one falls silent for good, one sends a byte now and then, and one
goes on steadily and is far too large. Whatever a copy waits for, it ends soon and leaves nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.shared_airflow import add_dags
from tests.support.access_log import read_access_log
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.pull import pull_image

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

TIMEOUT = 8
# Seconds: Airflow kills after 5, a loaded machine needs some more, and after 60 of silence a copy
# would have ended by itself.
SOON = 40
KINDS = ["stalls", "drips", "flows"]
PLANS = {"copy_image": "plan_images", "copy_file": "plan_files"}
COPIES = [(task, kind) for task in PLANS for kind in KINDS]
FAULTS = {"stalls": {"stall_after": 10}, "drips": {"drip": 0.2}}
FILE = b"0123456789" * 1_200_000
IMAGES = {kind: make_image(kind, platforms=["linux/amd64"], size=8_000_000) for kind in KINDS}
DAGS = """
# Without the word airflow in it, no file is looked into for DAGs.
from datetime import timedelta

from kops_assets_provider.dag_factory import kops_copy_assets_dag

killed = kops_copy_assets_dag("killed", **{killed!r})
limit = {{"default_args": {{"execution_timeout": timedelta(seconds={timeout})}}}}
late = kops_copy_assets_dag("late", dag_options=limit, **{late!r})
"""


class Flowing:
    """A server whose large bodies named ``flows`` take a minute or more, without a pause."""

    flows = True

    def answer(self, request):
        response = super().answer(request)
        slow = self.flows and request.method == "GET" and "flows" in request.path
        if slow and response.content_length > 10_000:
            return replace(response, body=self.flow(b"".join(response.chunks())))
        return response

    def flow(self, body, piece=1 << 14):
        for start in range(0, len(body), piece):
            yield body[start : start + piece]
            self.stopping.wait(0.1)


class Registry(Flowing, OciRegistryServer):
    pass


class Files(Flowing, FileServer):
    pass


@dataclass
class Mirror:
    """What one DAG copies, from where, to where."""

    dag_id: str
    home: Path
    airflow: LocalAirflow
    source: Registry
    files: Files
    target: OciRegistryServer
    run_id: str = ""
    seconds: dict = field(default_factory=dict)

    @classmethod
    def open(cls, stack, dag_id, tmp, airflow):
        """Start the servers, with faults that last."""
        home = tmp / dag_id
        home.mkdir()
        source = stack.enter_context(Registry(access_log=home / "copy_image.log"))
        files = stack.enter_context(Files(access_log=home / "copy_file.log"))
        for kind, image in IMAGES.items():
            put_image(source, f"{kind}:1", image)
            files.put(f"/{kind}", FILE)
        for kind, fault in FAULTS.items():
            source.inject(Fault("GET", f"/{kind}/blobs/", times=None, **fault))
            files.inject(Fault("GET", f"/{kind}", times=None, **fault))
        return cls(
            dag_id,
            home,
            airflow,
            source,
            files,
            stack.enter_context(OciRegistryServer()),
        )

    def options(self):
        """Return the options of the DAG, and write the list that they name."""
        sha = hashlib.sha256(FILE).hexdigest()
        assets = {
            "cluster": f"{self.dag_id}.example.com",
            "kops_version": "1.36.2",
            "images": listed(self.source.host, f"{self.target.host}/kops", ":1"),
            "files": listed(self.files.url, "https://files.example.com/a", sha=sha),
        }
        (self.home / "list.json").write_text(json.dumps(assets))
        return {
            "asset_list": str(self.home / "list.json"),
            "file_targets": {"https://files.example.com": str(self.home / "mirror")},
            "record_url": str(self.home / "records"),
        }

    def mend(self):
        """Let the sources be as quick as they can."""
        for server in (self.source, self.files):
            server.flows = False
            server.clear_faults()

    def copies(self):
        """Return the copies by task and kind; none before there are plans."""
        found = self.airflow.api.task_instances(self.dag_id, self.run_id)
        done = {x["task_id"] for x in found if x["state"] == "success"}
        names = {
            (task, index): planned["canonical"].removesuffix(":1").rpartition("/")[2]
            for task, plan in PLANS.items()
            if plan in done
            for index, planned in enumerate(self.airflow.api.xcom(self.dag_id, self.run_id, plan))
        }
        places = ((x, (x["task_id"], x["map_index"])) for x in found)
        return {(x["task_id"], names[place]): x for x, place in places if place in names}

    def bodies(self, task, kind):
        """Count the bodies of an asset that its source has begun to send, and has ended."""
        server, path = {
            "copy_image": (self.source, f"/{kind}/blobs/"),
            "copy_file": (self.files, f"/{kind}$"),
        }[task]
        ended = read_access_log(self.home / f"{task}.log")
        return tuple(
            sum(x.sent_bytes > 0 and Fault("GET", path).matches(x.method, x.path) for x in requests)
            for requests in (server.requests, ended)
        )

    def left(self):
        """Return what is at the target: files of whatever name, and images."""
        mirror = self.home / "mirror"
        found = [str(x.relative_to(mirror)) for x in mirror.rglob("*") if not x.is_dir()]
        images = (x for x in KINDS if pull_image(self.target.url, f"kops/{x}", "1"))
        return [*found, *images]


def listed(here, there, end="", **more):
    names = ((f"{here}/{kind}{end}", f"{there}/{kind}{end}") for kind in KINDS)
    return [{"canonical": x, "download": y, **more} for x, y in names]


def until(look, seconds=300.0):
    """Look until there is something, and return it."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"nothing after {seconds:g} seconds"
        time.sleep(0.2)
    return found


@pytest.fixture(scope="module")
def mirrors(airflow, tmp_path_factory):
    """Begin both runs at once, and hold the retries of one back until they have been waited for."""
    tmp = tmp_path_factory.mktemp("stops")
    with ExitStack() as stack:
        found = {x: Mirror.open(stack, x, tmp, airflow) for x in ("killed", "late")}
        options = {dag_id: mirror.options() for dag_id, mirror in found.items()}
        add_dags(airflow, "stops", DAGS.format(timeout=TIMEOUT, **options))
        for dag_id, mirror in found.items():
            mirror.run_id = airflow.api.trigger(dag_id)
        late = found["late"]  # until every first try has begun, or is over
        until(lambda: len([x for x in late.copies().values() if x["start_date"]]) == len(COPIES))
        airflow.api.request("PATCH", "/api/v2/dags/late", {"is_paused": True})
        yield found


@pytest.fixture(scope="module")
def killed(mirrors):
    """Mark every copy as failed once its source sends, and wait until its process is gone."""
    mirror = mirrors["killed"]
    running = until(lambda: all_under_way(mirror))
    begun = {}
    for name, copy in running.items():
        place = mirror.dag_id, mirror.run_id, name[0]
        mirror.airflow.api.mark(*place, "failed", map_index=copy["map_index"])
        begun[name] = time.monotonic()
    until(lambda: are_gone(mirror, running, begun), 2 * SOON)
    print("gone after", mirror.seconds)
    return mirror


def are_gone(mirror, running, begun):
    """Note how long each process has stayed that is gone by now; tell whether all are."""
    alive = mirror.airflow.processes()
    for name in begun.keys() - mirror.seconds.keys():
        if running[name]["pid"] not in alive:
            mirror.seconds[name] = round(time.monotonic() - begun[name], 1)
    return mirror.seconds.keys() == begun.keys()


def all_under_way(mirror):
    """Return the copies if each of them runs and gets a body."""
    copies = mirror.copies()
    running = all(copies.get(x, {}).get("state") == "running" for x in COPIES)
    return running and all(mirror.bodies(*x)[0] for x in COPIES) and copies


@pytest.fixture(scope="module")
def late(mirrors):
    """Wait until the first try of every copy is over, and let the next find the sources well."""
    mirror = mirrors["late"]
    until(lambda: {mirror.copies()[x]["state"] for x in COPIES} == {"up_for_retry"})
    at_target = mirror.left()
    until(lambda: has_let_go(mirror), SOON)
    mirror.mend()
    mirror.airflow.api.request("PATCH", "/api/v2/dags/late", {"is_paused": False})
    return mirror, at_target


def has_let_go(mirror):
    """Tell whether the sources have ended all bodies that they have begun."""
    bodies = [mirror.bodies(*x) for x in COPIES]
    return all(begun == ended > 0 for begun, ended in bodies)


def test_a_copy_that_a_user_stops_is_gone_within_seconds(killed):
    """Marked as failed in the UI, whatever it waits for: its process ends."""
    assert set(killed.seconds) == set(COPIES)
    assert max(killed.seconds.values()) < SOON


def test_it_lets_go_of_its_source(killed):
    """No connection stays behind: the source has ended all that it began."""
    until(lambda: has_let_go(killed), SOON)


def test_it_leaves_nothing_half_made(killed):
    """No tag, no file under its name, and none under a temporary one."""
    assert killed.left() == []


def test_the_report_names_what_was_stopped(killed):
    """The run ends, not green; it is as the user said: none of the copies is tried again."""
    api = killed.airflow.api
    assert api.wait(killed.dag_id, killed.run_id, timeout=300)["state"] == "failed"
    assert {(x["state"], x["try_number"]) for x in killed.copies().values()} == {("failed", 1)}
    report = api.xcom(killed.dag_id, killed.run_id, "report", "report")
    assert report["counts"] == {"failed": len(COPIES)}


def test_a_try_ends_at_its_execution_timeout(late):
    """The option of Airflow's, given as to any DAG: within seconds of the time, also in silence."""
    mirror = late[0]
    seconds = {x: try_seconds(mirror, x) for x in COPIES}
    print("tries took", seconds)
    assert min(seconds.values()) >= TIMEOUT
    assert max(seconds.values()) < TIMEOUT + SOON


def try_seconds(mirror, name):
    """Return how long the first try of a copy took."""
    run = f"/api/v2/dags/{mirror.dag_id}/dagRuns/{quote(mirror.run_id)}/taskInstances"
    path = f"{run}/{name[0]}/{mirror.copies()[name]['map_index']}/tries/1"
    found = mirror.airflow.api.request("GET", path)
    begin, end = (datetime.fromisoformat(found[x]) for x in ("start_date", "end_date"))
    return round((end - begin).total_seconds(), 1)


def test_a_try_that_is_over_leaves_nothing_half_made(late):
    """No tag and no file, also before the next try makes them; and no connection to the source."""
    assert late[1] == []


def test_the_next_try_finishes(late):
    """As configured: the copies' own retries, at the second of which the sources are well."""
    mirror = late[0]
    assert mirror.airflow.api.wait("late", mirror.run_id, timeout=300)["state"] == "success"
    assert {x["try_number"] for x in mirror.copies().values()} == {2}
    for kind, image in IMAGES.items():
        assert pull_image(mirror.target.url, f"kops/{kind}", "1") == image
        assert (mirror.home / "mirror" / "a" / kind).read_bytes() == FILE
