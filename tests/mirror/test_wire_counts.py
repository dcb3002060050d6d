"""
What a copy costs on the wire, counted by real registries: an image of P platforms and B blobs.

Once as the command does it, plan and copy in one process, and once as Airflow's tasks do, to which
a plan hands no more than plain data.
"""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.image_rules import ImageRules
from kops_assets_provider.mirror.images import (
    copy_planned_image,
    copy_planned_images,
    plan_images,
)
from kops_assets_provider.mirror.outcome import State
from kops_assets_provider.mirror.planned_image import PlannedImage
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.testing.components import docker_registry
from kops_assets_provider.testing.images import make_image, push_image

pytestmark = pytest.mark.component

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x")
P, B = 4, 20


def image(name, base_layers=0):
    return make_image(name, platforms=PLATFORMS, layers=4, base_layers=base_layers)


class Wire:
    """Two registries, the way from one to the other, and what was asked of them since."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self._seen = {source.port: 0, target.port: 0}

    def push(self, name, image):
        push_image(self.source.url, *name.split(":"), image)
        self.counts()

    def asset(self, name):
        return ImageAsset(f"{self.source.host}/{name}", f"{self.target.host}/kops/{name}")

    def plan(self, *names, **rules):
        self.registries, self.rules = Registries(), ImageRules(**rules)
        return plan_images([self.asset(x) for x in names], self.registries, self.rules)

    def command(self, *names, **rules):
        plan = self.plan(*names, **rules)
        return copy_planned_images(plan.to_copy, self.registries, self.rules)

    def tasks(self, *names, **rules):
        """Copy one after the other, each with connections of its own, as tasks on workers do."""
        planned = [json.loads(json.dumps(x.to_dict())) for x in self.plan(*names, **rules).to_copy]
        assert all(len(json.dumps(x)) <= 1024 for x in planned)
        rules = ImageRules(**rules)
        return [copy_planned_image(PlannedImage(**x), Registries(), rules) for x in planned]

    def counts(self):
        """Return the requests to source and target since the last call, by method."""
        counts = []
        for server in (self.source, self.target):
            requests = self._settled(server)
            counts.append(Counter(x.method for x in requests[self._seen[server.port] :]))
            self._seen[server.port] = len(requests)
        return counts

    @staticmethod
    def _settled(server):
        # A line is written a moment after the answer.
        before = None
        while before != (now := len(server.requests())):
            before = now
            time.sleep(0.05)
        return server.requests()


@pytest.fixture
def wire(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "t").mkdir()
    with docker_registry(tmp_path / "s") as source, docker_registry(tmp_path / "t") as target:
        yield Wire(source, target)


def total(counts):
    return sum(x.total() for x in counts)


def full(source_reads=0):
    """A full copy: 3 + 2P + 3B, and what is read again."""
    return [
        {"GET": 1 + P + B + source_reads},
        {"HEAD": 1, "POST": B, "PUT": B + P + 1},
    ]


@pytest.mark.parametrize(
    ("way", "reads", "requests"), [("command", 0, 71), ("tasks", 1 + P, 71 + 1 + P)]
)
def test_a_full_copy(wire, way, reads, requests):
    """3 + 2P + 3B; a task reads the manifests again by the digest that was planned."""
    wire.push("app:1", image("app"))
    (outcome,) = getattr(wire, way)("app:1")
    counts = wire.counts()
    assert counts == full(reads)
    assert total(counts) == 3 + 2 * P + 3 * B + reads == requests
    assert outcome.state is State.COPIED
    assert outcome.requests == requests - (0 if way == "command" else 2 + P)


@pytest.mark.parametrize("way", ["command", "tasks"])
def test_nothing_changed(wire, way):
    """One HEAD to each, no GET at the target, no write; one HEAD if the tag cannot have moved."""
    wire.push("app:1", image("app"))
    wire.command("app:1")
    wire.counts()
    assert getattr(wire, way)("app:1") == []
    assert wire.counts() == [{"HEAD": 1}, {"HEAD": 1}]
    assert getattr(wire, way)("app:1", immutable_tags=(f"{wire.source.host}/app",)) == []
    assert wire.counts() == [{}, {"HEAD": 1}]


@pytest.mark.parametrize(("way", "reads"), [("command", 0), ("tasks", 1 + 2)])
def test_two_platforms_of_four(wire, way, reads):
    """37 for the same image; and then GET of the index and one HEAD tell that all is there."""
    wire.push("app:1", image("app"))
    two = PLATFORMS[:2]
    (outcome,) = getattr(wire, way)("app:1", platforms=two)
    assert total(wire.counts()) == 37 + reads
    assert outcome.source == image("app").digest != outcome.content
    assert getattr(wire, way)("app:1", platforms=two) == []
    assert wire.counts() == [{"GET": 1}, {"HEAD": 1}]


@pytest.mark.parametrize(("way", "reads"), [("command", 0), ("tasks", 1 + P)])
def test_a_moved_tag(wire, way, reads):
    """4 + 2P + 3B' for what is new, and one request for each blob that was there before."""
    wire.push("app:1", image("old", base_layers=2))
    wire.command("app:1")
    wire.push("app:1", image("new", base_layers=2))
    (outcome,) = getattr(wire, way)("app:1")
    kept = 2 * P
    assert total(wire.counts()) == 4 + 2 * P + 3 * (B - kept) + kept + reads
    assert outcome.content == image("new", base_layers=2).digest


@pytest.mark.parametrize(("way", "reads"), [("command", 0), ("tasks", 1 + P)])
def test_a_sibling_with_shared_blobs(wire, way, reads):
    """3 + 2P + 3(B - M) + M for the second: one request mounts a blob from the first."""
    wire.push("one:1", image("one", base_layers=2))
    wire.push("two:1", image("two", base_layers=2))
    one, two = getattr(wire, way)("one:1", "two:1")
    shared = 2 * P
    expected = 3 + 2 * P + 3 * B + 3 + 2 * P + 3 * (B - shared) + shared
    assert total(wire.counts()) == expected + 2 * reads
    assert (one.mounts, two.mounts) == (0, shared)
    assert two.mounted + two.sent == one.sent
    assert two.late == 0
