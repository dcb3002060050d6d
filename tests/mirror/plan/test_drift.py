"""
What a copy would change is known before, and what has drifted is not overwritten silently.

Real registries count what a copy takes; what was foreseen must be that.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import dataclass

import pytest

from kops_assets_provider.exceptions import DriftedError
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import Change, Kind, State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.drift import OnDrift, file_change, image_change
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.run.mirror import Mirror
from tests.copies import copy_planned_image
from tests.outcomes import make_asset_record, with_values
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.s3_server import S3Server

BASE = "https://files.example.com"
FILE = b"kubelet" * 1000
PLATFORMS = ("linux/amd64", "linux/arm64", "linux/s390x")


@dataclass
class World:
    """Two images that share layers, a file, and a mirror of them that keeps its record."""

    source: OciRegistryServer
    target: OciRegistryServer
    files: FileServer
    bucket: S3Server
    shas: dict[str, str]

    def listed(self):
        images = tuple(
            ImageAsset(
                canonical=f"{self.source.host}/{x}:1", download=f"{self.target.host}/kops/{x}:1"
            )
            for x in ("one", "two")
        )
        files = tuple(
            FileAsset(canonical=f"{self.files.url}/{name}", download=f"{BASE}/{name}", sha=sha)
            for name, sha in self.shas.items()
        )
        assets = ClusterAssets(images=images, files=files)
        return AssetList(cluster="c.example.com", kops_version="1.36.2", assets=assets)

    def mirror(self, **rules):
        store = S3Store(self.bucket.client(), HttpClient(), "files")
        stores = FileStores({Scheme.S3: lambda _: store}, {BASE: "s3://files"})
        record_url = f"{BASE}/records"
        return Mirror(
            registries=Registries(), stores=stores, rules=ImageRules(**rules), record_url=record_url
        )

    def copy(self, **rules):
        return self.mirror(**rules).copy(self.listed())

    def check(self, **rules):
        return self.mirror(**rules).check(self.listed())

    def dry_run(self, **rules):
        self.clear()
        report = self.mirror(**rules).dry_run(self.listed())
        assert not self.written()
        return report

    def clear(self):
        for server in (self.source, self.target, self.files, self.bucket):
            server.clear()

    def written(self):
        """Return what was asked of the targets that is no question."""
        asked = [*self.target.requests, *self.bucket.requests]
        return [x for x in asked if x.method not in ("GET", "HEAD")]

    def put_file(self, raw):
        self.files.put("/kubelet", raw)
        self.shas["kubelet"] = hashlib.sha256(raw).hexdigest()


@pytest.fixture
def world():
    with (
        OciRegistryServer() as source,
        OciRegistryServer() as target,
        FileServer() as files,
        S3Server() as bucket,
    ):
        for name in ("one", "two"):
            put_image(source, f"{name}:1", image(name))
        found = World(source, target, files, bucket, {})
        found.put_file(FILE)
        yield found


def image(name, platforms=PLATFORMS):
    return make_image(name, platforms=platforms, layers=2, base_layers=1)


def changes(report):
    """Return the changes of the images, and then that of the file."""
    return [x.change for x in report.outcomes]


def errors(report):
    return [x.problem.kind for x in report.outcomes if x.state is State.FAILED]


@pytest.mark.parametrize("rules", [{}, {"platforms": PLATFORMS[:2]}])
def test_what_was_foreseen_is_what_it_takes(world, rules):
    """To the byte and the request, for images that share layers and for a file."""
    foreseen = world.dry_run(**rules)
    assert foreseen.changes() == {"added": 3}
    report = world.copy(**rules)
    assert report.counts() == {"copied": 3}
    assert (report.expected_bytes, report.expected_requests) == (report.sent, report.copy_requests)
    for ahead, outcome in zip(foreseen.outcomes, report.outcomes, strict=True):
        assert ahead.estimate.expected_bytes == outcome.cost.sent
        assert ahead.facts.size == outcome.facts.size
        assert outcome.estimate.expected_requests == outcome.cost.requests
    assert (foreseen.expected_bytes, foreseen.expected_requests) == (
        report.sent,
        report.copy_requests,
    )


def test_platforms_that_are_left_out_save_what_they_have(world):
    """Of two images that share layers each is counted by itself."""
    saved = world.dry_run(platforms=PLATFORMS[:2]).saved
    whole, some = (sum(x.facts.size or 0 for x in world.dry_run(**r).outcomes) for r in ({}, TWO))
    assert saved == whole - some > 0
    assert world.dry_run().saved == 0


TWO = {"platforms": PLATFORMS[:2]}


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(world):
    """Nothing at the targets, no record; one sentence and a table."""
    report = world.dry_run(**TWO)
    assert report.summary().startswith("c.example.com: 3 added; a copy would send at most ")
    assert "the platforms that are left out save" in report.summary()
    lines = report.to_table().splitlines()
    assert lines[0].split() == ["change", "kind", "bytes", "requests", "canonical", "reason"]
    assert lines[1].split()[:3] == ["added", "file", "7064"]
    assert report.to_dict()["dry_run"] is True
    assert world.bucket.buckets["files"].objects == {}


def test_nothing_changed(world):
    """All is the same, and a copy would take nothing."""
    world.copy()
    report = world.dry_run()
    assert changes(report) == [Change.SAME] * 3
    assert (report.expected_bytes, report.expected_requests) == (0, 0)
    assert report.summary().endswith("a copy would send at most 0 bytes, in 0 requests")


def move(world):
    put_image(world.source, "one:1", image("moved"))
    world.put_file(FILE.swapcase())


def damage(world):
    put_image(world.target, "kops/one:1", image("damaged"))
    raw = FILE.swapcase()
    sha = b64encode(hashlib.sha256(raw).digest()).decode()
    client = world.bucket.client()
    client.put_object(Bucket="files", Key="kubelet", Body=raw, ChecksumSHA256=sha)


def remove(world):
    world.target.storage.delete_tag("kops/one", "1")
    del world.bucket.buckets["files"].objects["kubelet"]


def test_what_has_drifted_fails_and_stays(world):
    """The default: both digests are told, and nothing is overwritten until somebody says so."""
    world.copy()
    move(world)
    assert changes(world.dry_run()) == [Change.DRIFTED, Change.SAME, Change.DRIFTED]
    world.clear()
    report = world.copy()
    assert errors(report) == ["DriftedError", "DriftedError"]
    message = report.outcomes[0].problem.message
    assert image("moved").digest in message
    assert f"the target has {image('one').digest}, verified 20" in message
    assert "take what the source has now, or keep it" in message
    assert [x.method for x in world.written()] == ["PUT"]  # the record
    assert changes(world.dry_run()) == [Change.DRIFTED, Change.SAME, Change.DRIFTED]


def test_what_has_drifted_is_taken_if_somebody_says_so(world):
    """And the next night finds all the same."""
    world.copy()
    move(world)
    report = world.copy(on_drift=OnDrift.TAKE)
    assert report.counts() == {"copied": 2, "present": 1}
    assert changes(report) == [Change.DRIFTED, Change.SAME, Change.DRIFTED]
    assert report.expected_bytes >= report.sent > 0
    assert changes(world.dry_run()) == [Change.SAME] * 3


def test_an_image_that_has_drifted_may_stay(world):
    """It is present, and the report tells what the source has; a file is of no use to nodes."""
    world.copy()
    move(world)
    for report in (world.copy(on_drift=OnDrift.KEEP), world.check(on_drift=OnDrift.KEEP)):
        one, two, _ = report.outcomes
        assert (one.state, two.state) == (State.PRESENT, State.PRESENT)
        found = one.facts.content, one.facts.drift
        assert found == (image("one").digest, image("moved").digest)
    assert errors(world.copy(on_drift=OnDrift.KEEP)) == ["DriftedError"]
    # Night after night: the record still knows what was copied.
    assert changes(world.dry_run()) == [Change.DRIFTED, Change.SAME, Change.DRIFTED]


def test_what_was_damaged_is_mended(world):
    """The source is still the same, so this needs nobody's word."""
    world.copy()
    damage(world)
    assert changes(world.dry_run()) == [Change.DAMAGED, Change.SAME, Change.DAMAGED]
    assert changes(world.check()) == [Change.DAMAGED, Change.SAME, Change.DAMAGED]
    assert world.copy().counts() == {"copied": 2, "present": 1}
    assert changes(world.dry_run()) == [Change.SAME] * 3


def test_what_is_gone_is_damaged(world):
    """The record knows that it was there."""
    world.copy()
    remove(world)
    assert changes(world.dry_run()) == [Change.DAMAGED, Change.SAME, Change.DAMAGED]
    assert world.copy().ready


@pytest.mark.parametrize("policy", [OnDrift.FAIL, OnDrift.KEEP])
def test_where_both_have_changed_nothing_is_worth_keeping(world, policy):
    """Neither the source's nor what was verified: the error tells of all three."""
    world.copy()
    move(world)
    damage(world)
    report = world.copy(on_drift=policy)
    assert errors(report) == ["DriftedError", "DriftedError"]
    message = report.outcomes[0].problem.message
    assert "both have changed" in message
    for name in ("one", "moved", "damaged"):
        assert image(name).digest in message


def test_without_a_record_another_image_counts_as_drifted(world):
    """Nobody knows which of them is the older one."""
    put_image(world.target, "kops/one:1", image("older"))
    report = world.copy()
    assert errors(report) == ["DriftedError"]
    assert "no record tells which of them is the older one" in report.outcomes[0].problem.message


def test_a_copy_that_has_to_plan_reads_no_record_and_says_so(world):
    """Its plan could not ask: nothing is overwritten, and another plan will know more."""
    put_image(world.target, "kops/one:1", image("older"))
    (one, _) = world.listed().assets.images
    with pytest.raises(DriftedError, match="clear plan_images with its downstream"):
        copy_planned_image(
            PlannedImage(canonical=one.canonical, download=one.download), Registries()
        )


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (PLATFORMS, PLATFORMS[:2]),
        (PLATFORMS[:2], PLATFORMS),
        (PLATFORMS[:1], PLATFORMS[1:]),
    ],
)
@pytest.mark.parametrize("has_record", [True, False])
def test_other_platforms_are_no_drift(world, there, wanted, has_record):
    """With a record, and without: what is there is of the same image."""
    world.copy(platforms=() if there == PLATFORMS else there)
    if not has_record:
        del world.bucket.buckets["files"].objects["records/c.example.com.json"]
    rules = {} if wanted == PLATFORMS else {"platforms": wanted}
    assert changes(world.dry_run(**rules)) == [Change.ADDED, Change.ADDED, Change.SAME]
    assert world.copy(**rules).counts() == {"copied": 2, "present": 1}


def test_what_cannot_be_asked_about_is_told(world):
    """A dry run that finds no source says so, and is no failure."""
    world.source.storage.delete_tag("one", "1")
    report = world.dry_run()
    assert changes(report) == [None, Change.ADDED, Change.ADDED]
    assert "1 that could not be asked about" in report.summary()
    assert report.to_table().splitlines()[-1].startswith("failed  image")


def test_files_that_others_have_left_are_unread(world):
    """Nobody knows what they are, or what a copy will take."""
    world.bucket.put("files", "kubelet", FILE)
    world.bucket.put("files", "kubelet.sha256", hashlib.sha256(FILE).hexdigest().encode())
    report = world.dry_run()
    assert changes(report)[-1] is Change.UNREAD
    assert report.outcomes[-1].estimate.expected_bytes is None
    assert world.copy().outcomes[-1].state is State.PRESENT


def test_a_source_that_does_not_tell_a_length(world):
    """Then the bytes are not known, and that is said."""
    world.clear()
    world.files.inject(Fault("HEAD", "/kubelet", status=405))
    report = world.mirror().dry_run(world.listed())
    assert "and 1 assets of unknown size, in" in report.summary()


KNOWN = make_asset_record(Kind.IMAGE, "c", "d", State.PRESENT, source="s", content="t")


@pytest.mark.parametrize(
    ("there", "source", "known", "change"),
    [
        (None, "s", None, Change.ADDED),
        (None, "s", KNOWN, Change.DAMAGED),
        (None, "s", with_values(KNOWN, content=None), Change.ADDED),
        ("s", "s", None, Change.ADDED),
        ("x", "s", None, Change.DRIFTED),
        ("x", "s", KNOWN, Change.DAMAGED),
        ("t", "s", KNOWN, Change.ADDED),
        ("t", "new", KNOWN, Change.DRIFTED),
        ("x", "new", KNOWN, Change.DRIFTED),
        ("x", "t", with_values(KNOWN, source=None), Change.DAMAGED),
    ],
)
def test_how_an_image_differs(there, source, known, change):
    """By what is there, what the source has, and what was copied."""
    assert image_change(there, source, known) is change


@pytest.mark.parametrize(
    ("known", "is_there", "is_read", "change"),
    [
        (None, False, True, Change.ADDED),
        (KNOWN, False, True, Change.DAMAGED),
        (None, True, True, Change.DAMAGED),
        (None, True, False, Change.UNREAD),
        (KNOWN, True, True, Change.DAMAGED),
        (with_values(KNOWN, content="old"), True, True, Change.DRIFTED),
        (with_values(KNOWN, content="old"), True, False, Change.DRIFTED),
    ],
)
def test_how_a_file_differs(known, is_there, is_read, change):
    """Its hash is that of the list, which everybody trusts."""
    assert file_change("t", known, is_there=is_there, is_read=is_read) is change
