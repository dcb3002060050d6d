"""
What images cost on the wire under a real scheduler, where each copy is a task of its own.

The figures are those of docs/architecture.md; the same is counted without Airflow in
tests/mirror/test_wire_counts.py. Counted are the requests of the real registries.
"""

from __future__ import annotations

import json

import pytest

from tests.mirror.test_wire_counts import PLATFORMS, B, P, Wire, full, total
from tests.support.components import docker_registry
from tests.support.images import make_image

DAG_ID = "kops_copy_assets_manual"
SHARING = tuple(f"shared{n}" for n in range(6))

pytestmark = [pytest.mark.component, pytest.mark.airflow, pytest.mark.timeout(900)]


class World(Wire):
    """Two registries, and an Airflow that copies lists from one to the other."""

    def __init__(self, source, target, airflow, folder):
        super().__init__(source, target)
        self.airflow, self.folder = airflow, folder

    def run(self, *names, **conf):
        """Copy images by a run of the DAG; return its report's assets."""
        assets = [self.asset(x) for x in names]
        images = [{"canonical": x.canonical, "download": x.download} for x in assets]
        file = self.folder / "images.example.com.json"
        file.write_text(json.dumps({"images": images}))
        self.counts()
        run_id = self.airflow.api.trigger(DAG_ID, {"asset_list": str(file), **conf})
        assert self.airflow.api.wait(DAG_ID, run_id, timeout=300)["state"] == "success"
        return self.airflow.api.xcom(DAG_ID, run_id, "report", "report")


@pytest.fixture(scope="module")
def world(airflow, tmp_path_factory):
    tmp = tmp_path_factory.mktemp("images")
    with (
        docker_registry(tmp / "source") as source,
        docker_registry(tmp / "target") as target,
    ):
        yield World(source, target, airflow, tmp)


def test_a_full_copy_and_then_nothing(world):
    """3 + 2P + 3B, and 1 + P more, since the task reads the manifests again; then one HEAD each."""
    image = make_image("app", platforms=PLATFORMS, layers=4, base_layers=0)
    world.push("app:1", image)
    world.run("app:1")
    counts = world.counts()
    assert counts == full(source_reads=1 + P)
    assert total(counts) == 3 + 2 * P + 3 * B + 1 + P == 76
    report = world.run("app:1")
    assert report["counts"] == {"present": 1}
    assert world.counts() == [{"HEAD": 1}, {"HEAD": 1}]


def test_two_platforms_of_four(world):
    """37, and three manifests that are read again."""
    image = make_image("two", platforms=PLATFORMS, layers=4, base_layers=0)
    world.push("two:1", image)
    world.run("two:1", platforms=list(PLATFORMS[:2]))
    assert total(world.counts()) == 37 + 3
    report = world.run("two:1", platforms=list(PLATFORMS[:2]))
    assert report["counts"] == {"present": 1}
    assert world.counts() == [{"GET": 1}, {"HEAD": 1}]


def test_shared_blobs_cross_the_wire_about_once(world):
    """Six images at a time, most of whose bytes are the same: at most 1.15 times the distinct."""
    images = [
        make_image(x, platforms=PLATFORMS[:2], layers=5, base_layers=4, size=6_000_000)
        for x in SHARING
    ]
    for name, image in zip(SHARING, images, strict=True):
        world.push(f"{name}:1", image)
    report = world.run(*(f"{x}:1" for x in SHARING))
    distinct = {digest: len(data) for image in images for digest, data in image.blobs.items()}
    sent = sum(x["sent"] for x in report["assets"])
    assert sent <= 1.15 * sum(distinct.values())
    assert sum(x.get("late", 0) for x in report["assets"]) == report["late"]
    assert sent == sum(distinct.values()) + report["late"]
    assert sum(x.get("mounts", 0) for x in report["assets"]) > 0
