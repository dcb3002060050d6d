"""
What a copy costs on the wire, counted by real registries: an image of P platforms and B blobs.

Once as the command does it, plan and copy in one process, and once as Airflow's tasks do, to which
a plan hands no more than plain data.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace

import pytest

from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.oci.digest import Digest
from tests.copies import copy_planned_image, copy_planned_images
from tests.outcomes import with_values
from tests.support.components import docker_registry
from tests.support.images import make_image, push_image

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
        return ImageAsset(
            canonical=f"{self.source.host}/{name}", download=f"{self.target.host}/kops/{name}"
        )

    record = None

    def plan(self, *names, **rules):
        self.registries, self.rules = Registries(), ImageRules(**rules)
        assets = [self.asset(x) for x in names]
        return plan_images(assets, self.registries, self.rules, Known(lambda: self.record))

    def keep_record(self, outcomes):
        """Let the next plan know what was copied, as the mirror's record does."""
        record = update_record(None, Report(cluster="c", outcomes=tuple(outcomes)), "1.36.2", "run")
        self.record = parse_record(record.to_json(), "the record")

    def command(self, *names, **rules):
        plan = self.plan(*names, **rules)
        return copy_planned_images(plan.to_copy, self.registries, self.rules)

    def tasks(self, *names, **rules):
        """Copy one after the other, each with connections of its own, as tasks on workers do."""
        planned = [json.loads(json.dumps(x.to_dict())) for x in self.plan(*names, **rules).to_copy]
        assert all(len(json.dumps(x)) <= 1024 for x in planned)
        rules = ImageRules(**rules)
        return [copy_planned_image(PlannedImage.from_dict(x), Registries(), rules) for x in planned]

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
    assert outcome.cost.requests == requests - (0 if way == "command" else 2 + P)


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
    assert outcome.facts.source == image("app").digest != outcome.facts.content
    assert getattr(wire, way)("app:1", platforms=two) == []
    assert wire.counts() == [{"GET": 1}, {"HEAD": 1}]


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize(("way", "reads"), [("command", 0), ("tasks", 1 + P)])
def test_a_moved_tag(wire, way, reads, is_known):
    """
    4 + 2P + 3B' for the B' new blobs.

    Without the record one more for each that is not new, and one to see what is there instead.
    """
    wire.push("app:1", image("old", base_layers=2))
    copied = wire.command("app:1")
    if is_known:
        wire.keep_record(copied)
    wire.push("app:1", image("new", base_layers=2))
    (outcome,) = getattr(wire, way)("app:1", on_drift=OnDrift.TAKE)
    kept = 2 * P
    asked = 0 if is_known else kept + 1
    assert total(wire.counts()) == 4 + 2 * P + 3 * (B - kept) + asked + reads
    assert outcome.facts.content == image("new", base_layers=2).digest
    assert whole(wire.target, "kops/app", outcome.facts.content)


@pytest.mark.parametrize("way", ["command", "tasks"])
def test_a_record_that_is_wrong_costs_requests_and_nothing_else(wire, way):
    """It says that blobs are there which are not: the registry refuses, and gets them."""
    wire.push("app:1", image("old", base_layers=2))
    wire.keep_record(wire.command("app:1"))
    (asset,) = wire.record.assets
    new = image("new", base_layers=2)
    wire.record = replace(wire.record, assets=(with_values(asset, blobs=known(new)),))
    wire.push("app:1", new)
    (outcome,) = getattr(wire, way)("app:1", on_drift=OnDrift.TAKE)
    assert outcome.facts.content == new.digest
    assert whole(wire.target, "kops/app", outcome.facts.content)


def known(image):
    return [digest.partition(":")[2][:12] for digest in image.blobs]


def whole(server, repository, digest):
    """Read an image as a node would; true if all of it is there and right."""
    opened, _ = Registries().cache(f"{server.host}/{repository}@{digest}")
    for child in opened.fetch_manifest(digest).children:
        for blob in opened.fetch_manifest(child.digest).blobs:
            with opened.open_blob(blob) as chunks:
                assert Digest.of(b"".join(chunks)) == blob.digest
    return True


@pytest.mark.parametrize(("way", "reads"), [("command", 0), ("tasks", 1 + P)])
def test_a_sibling_with_shared_blobs(wire, way, reads):
    """3 + 2P + 3(B - M) + M for the second: one request mounts a blob from the first."""
    wire.push("one:1", image("one", base_layers=2))
    wire.push("two:1", image("two", base_layers=2))
    one, two = getattr(wire, way)("one:1", "two:1")
    shared = 2 * P
    expected = 3 + 2 * P + 3 * B + 3 + 2 * P + 3 * (B - shared) + shared
    assert total(wire.counts()) == expected + 2 * reads
    assert (one.cost.mounts, two.cost.mounts) == (0, shared)
    assert two.cost.mounted + two.cost.sent == one.cost.sent
    assert two.cost.late == 0
