"""A pull-through cache cannot be pushed to: it is read through, so that it has what nodes want."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    InvalidInputError,
    RequestRejectedError,
    TransientError,
)
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.kops.assets import ClusterAssets, ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.run.mirror import Mirror
from tests.copies import copy_planned_image, copy_planned_images
from tests.outcomes import make_asset_record, with_values
from tests.support.components import docker_registry
from tests.support.images import make_image, push_image
from tests.support.memory_files import MemoryStore
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

IMAGE = make_image("app", layers=3)


@pytest.fixture
def upstream():
    with OciRegistryServer() as server:
        push_image(server.url, "team/app", "1", IMAGE)
        yield server


@pytest.fixture
def cache(upstream, tmp_path):
    """Debian's registry as a cache of it."""
    with docker_registry(tmp_path, proxied_url=upstream.url) as server:
        yield server


@pytest.fixture
def mirror(upstream, cache):
    asset = ImageAsset(canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1")
    records = MemoryStore()
    stores = FileStores({Scheme.FILE: lambda _: records})
    listed = AssetList(
        cluster="c", kops_version="1.36.2", assets=ClusterAssets(images=(asset,), files=())
    )

    def copy(**rules):
        upstream.clear()
        rules = ImageRules(**{"warm": (cache.host,), **rules})
        return (
            Mirror(registries=Registries(), stores=stores, rules=rules, record_url="/records")
            .copy(listed)
            .outcomes[0]
        )

    return copy


@pytest.mark.component
def test_everything_is_read_through_the_cache(mirror, upstream, cache, tmp_path):
    """Afterwards the cache answers although there is no upstream any more."""
    outcome = mirror()
    assert (outcome.state, outcome.facts.content) == (State.WARMED, IMAGE.digest)
    assert (outcome.facts.size, outcome.cost.sent) == (IMAGE.size, 0)
    wait_for_blobs(tmp_path, IMAGE.blobs)
    upstream.inject(Fault(status=503, times=None))
    repository, reference = Registries().cache(f"{cache.host}/team/app@{IMAGE.digest}")
    root = repository.fetch_manifest(reference.digest)
    for child in root.children:
        for blob in repository.fetch_manifest(child.digest).blobs:
            with repository.open_blob(blob) as chunks:
                assert b"".join(chunks) == IMAGE.blobs[blob.digest]


def wait_for_blobs(folder, digests):
    """Debian's registry passes a blob on, and fetches it once more for itself meanwhile."""
    end = time.monotonic() + 60
    for digest in digests:
        while not list(folder.rglob(f"sha256/*/{digest.partition(':')[2]}/data")):
            assert time.monotonic() < end, digest
            time.sleep(0.02)


@pytest.mark.component
def test_what_was_read_is_not_read_again(mirror, upstream, tmp_path):
    """One HEAD of the source: the record knows, and the cache could not prove it."""
    first = mirror()
    wait_for_blobs(tmp_path, IMAGE.blobs)
    again = mirror()
    assert again.state is State.PRESENT
    assert again.facts.verified_at == first.facts.verified_at
    assert [x.method for x in upstream.requests] == ["HEAD"]


@pytest.mark.component
def test_it_is_read_again_when_time_has_passed_or_the_tag_has_moved(mirror, upstream):
    """A cache drops what is old, and does not have what is new."""
    mirror()
    assert mirror(warm_days=0).state is State.WARMED
    moved = make_image("moved", layers=3)
    push_image(upstream.url, "team/app", "1", moved)
    assert mirror().facts.content == moved.digest


@pytest.mark.component
def test_a_refused_push_names_the_option(upstream, cache):
    """Whoever does not know that it is a cache learns what to say."""
    asset = ImageAsset(
        canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/other:1"
    )
    (planned,) = plan_images([asset], registries := Registries()).to_copy
    with pytest.raises(RequestRejectedError, match=r"405 UNSUPPORTED.*name its host in .* warm"):
        copy_planned_image(planned, registries)


def test_some_platforms_are_enough(upstream):
    """Only what nodes will ask for is read: here half of it."""
    with OciRegistryServer() as cache:
        push_image(cache.url, "team/app", "1", IMAGE)
        rules = ImageRules(platforms=("linux/amd64",), warm=(cache.host,))
        asset = ImageAsset(
            canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1"
        )
        outcome = copy_planned_image(PlannedImage(**names(asset)), Registries(), rules)
        assert outcome.state is State.WARMED
        assert cache.count("GET", "/manifests/") == 2
        assert cache.count("GET", "/blobs/") == len(IMAGE.blobs) / 2


def test_a_cache_that_is_behind_is_asked_later(upstream):
    """It has another image under that name, and will ask upstream again some day."""
    with OciRegistryServer() as cache:
        push_image(cache.url, "team/app", "1", make_image("old"))
        asset = ImageAsset(
            canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1"
        )
        rules = ImageRules(warm=(cache.host,))
        with pytest.raises(TransientError, match="the cache still has"):
            copy_planned_image(PlannedImage(**names(asset)), Registries(), rules)


@pytest.mark.component
def test_a_check_believes_the_record_alone(upstream, cache):
    """HEAD of a cache that has nothing is answered from upstream."""
    asset = ImageAsset(canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1")
    rules = ImageRules(warm=(cache.host,))
    stores = FileStores({})
    listed = AssetList(
        cluster="c", kops_version="1.36.2", assets=ClusterAssets(images=(asset,), files=())
    )
    (found,) = Mirror(registries=Registries(), stores=stores, rules=rules).check(listed).outcomes
    assert (found.state, found.problem.kind) == (State.MISSING, "NotWarm")


def test_a_host_that_no_image_is_from_is_a_typo(upstream):
    """It would be taken for a registry, and HEAD for a proof."""
    asset = ImageAsset(
        canonical=f"{upstream.host}/team/app:1", download="cache.example.com/team/app:1"
    )
    rules = ImageRules(warm=("cash.example.com",))
    with pytest.raises(InvalidInputError, match=r"from cash.example.com; the hosts are cache.exam"):
        plan_images([asset], Registries(), rules)


@pytest.mark.parametrize("rules", [{"warm": ("https://x/",)}, {"warm_days": -1.0}, {"warm": ("",)}])
def test_rules_that_are_none_are_told(rules):
    """Before anything is asked."""
    with pytest.raises(InvalidInputError):
        ImageRules(**rules)


def test_the_first_failure_is_what_is_told(upstream):
    """A blob of other bytes, not that another one was stopped for it."""
    with OciRegistryServer() as cache:
        push_image(cache.url, "team/app", "1", IMAGE)
        upstream_asset = ImageAsset(
            canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1"
        )
        smallest = min(IMAGE.blobs, key=lambda x: len(IMAGE.blobs[x]))
        cache.inject(Fault("GET", smallest, body=b"x" * len(IMAGE.blobs[smallest]), times=None))
        cache.inject(Fault("GET", "/blobs/", delay=0.3, times=None))
        rules = ImageRules(warm=(cache.host,))
        with pytest.raises(ChecksumMismatchError):
            copy_planned_image(PlannedImage(**names(upstream_asset)), Registries(), rules)


def test_a_plan_that_failed_is_made_again(upstream):
    """The image's own copy asks for the digest that the plan could not get."""
    with OciRegistryServer() as cache:
        push_image(cache.url, "team/app", "1", IMAGE)
        asset = ImageAsset(
            canonical=f"{upstream.host}/team/app:1", download=f"{cache.host}/team/app:1"
        )
        rules = ImageRules(warm=(cache.host,))
        (found,) = copy_planned_images([PlannedImage(**names(asset))], Registries(), rules)
        assert found.state is State.WARMED


def names(asset):
    return {"canonical": asset.canonical, "download": asset.download}


def test_age_is_counted_in_days():
    """A record of yesterday is good for two days, and not for half of one."""
    from kops_assets_provider.mirror.model.asset import Kind

    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    facts = {"source": "d", "verified_at": yesterday}
    known = make_asset_record(Kind.IMAGE, "a", "b", State.PRESENT, **facts)
    # Present by a push, before the host became a cache: that is no proof of anything.
    assert not ImageRules(warm_days=2).is_warm(known, "d")
    known = with_values(known, warmed=[])
    assert not ImageRules(platforms=("linux/arm64",), warm_days=2).is_warm(known, "d")
    assert ImageRules(warm_days=2).is_warm(known, "d")
    assert not ImageRules(warm_days=2).is_warm(known, "e")
    assert not ImageRules(warm_days=0.5).is_warm(known, "d")
    assert not ImageRules().is_warm(None, "d")
