"""A command and a DAG copy by the same code, so they report the same, in success and failure."""

import json
from pathlib import Path

import pytest

from kops_assets_provider.cli import main
from tests.airflow_versions import run_in_process
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

PLATFORMS = ["linux/amd64", "linux/arm64"]
URL = "https://files.example.com"
SAME = ("state", "error", "sent", "mounted", "mounts", "late", "retries", "content", "size")


class World:
    """Sources, and a target for each of the two ways."""

    def __init__(self, source, files, targets, directory):
        self.source, self.files = source, files
        self.targets = dict(zip(("command", "dag"), targets, strict=True))
        self.directory = directory

    def arm(self, who, fault):
        """Forget all requests and faults, and let ``fault`` happen from now on."""
        servers = {"source": self.source, "files": self.files, **self.targets}
        for name, server in servers.items():
            server.clear()
            if fault and (name == who or (who == "target" and name in self.targets)):
                server.inject(fault)

    def requests(self, way):
        """Return how many requests the servers of one way got."""
        servers = self.source, self.files, self.targets[way]
        return sum(len(x.requests) for x in servers)

    def options(self, way):
        host = self.targets[way].host
        assets = asset_list(
            "road.example.com",
            [(f"{self.source.host}/app:1", f"{host}/kops/app:1")],
            [(f"{self.files.url}/kubelet", f"{URL}/kubelet", b"kubelet" * 9)],
        )
        path = self.directory / f"{way}.json"
        path.write_text(json.dumps(assets))
        place = str(self.directory / way)
        return {"asset_list": str(path), "file_targets": {URL: place}, "record_url": place}


@pytest.fixture
def world(tmp_path):
    files = {"/kubelet": b"kubelet" * 9}
    with (
        OciRegistryServer() as source,
        FileServer(files) as server,
        OciRegistryServer() as one,
        OciRegistryServer() as other,
    ):
        put_image(source, "app:1", IMAGE)
        yield World(source, server, (one, other), tmp_path)


@pytest.fixture
def by_command(world):
    def run():
        options = world.options("command")
        (place,) = options["file_targets"].values()
        arguments = ["copy", "--from", options["asset_list"], "--file-target", f"{URL}={place}"]
        main([*arguments, "--record-url", place, "--report-url", place, "--quiet"])
        return json.loads(Path(place, "road.example.com.report.json").read_text())

    return run


@pytest.fixture
def by_dag(world, dags, monkeypatch):
    def run():
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(world.options("dag")))
        instances = run_in_process(dags["kops_copy_assets_manual"]).get_task_instances()
        (report,) = (x for x in instances if x.task_id == "report")
        return report.xcom_pull(task_ids="report", key="report")

    return run


IMAGE = make_image("app", platforms=PLATFORMS)
LAYER = max(IMAGE.blobs, key=lambda x: len(IMAGE.blobs[x]))
# The refusal comes late, so that all other blobs are there on both ways.
CASES = [
    ("all goes well", None, None),
    ("a manifest is refused", "target", Fault("PUT", "/manifests/", None, status=403)),
    ("a blob is not there", "source", Fault("GET", f"/blobs/{LAYER}", None, status=404, delay=2)),
    ("the tag is refused", "target", Fault("PUT", "/manifests/1", None, status=403)),
    ("a file is not there", "files", Fault("GET", "/kubelet", None, status=404)),
    ("a file is another one", "files", Fault("GET", "/kubelet", None, body=b"wrong" * 9)),
    ("a file comes at the second try", "files", Fault("GET", "/kubelet", 1, status=503)),
    ("a blob is taken at the second try", "target", Fault("PUT", "/uploads/", 1, status=503)),
]


@pytest.mark.parametrize(("name", "who", "fault"), CASES, ids=[x[0] for x in CASES])
def test_both_report_the_same(world, by_command, by_dag, name, who, fault):
    """State, error and cost; requests but for the manifests, which a task reads again."""
    world.arm(who, fault)
    command, asked = by_command(), world.requests("command")
    world.arm(who, fault)
    dag, asked_again = by_dag(), world.requests("dag")
    for one, other in zip(command["assets"], dag["assets"], strict=True):
        assert _same(one, world, "command") == _same(other, world, "dag")
        assert one["seconds"] > 0
        assert other["seconds"] > 0
    assert asked_again == asked + 1 + len(PLATFORMS)


def _same(asset, world, way):
    """Return the values that must be equal, whatever the target is called."""
    text = json.dumps({x: asset.get(x) for x in SAME})
    return json.loads(text.replace(world.targets[way].host, "target"))
