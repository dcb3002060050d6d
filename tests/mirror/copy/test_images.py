"""Planning and copying a cluster's images."""

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConflictingTargetsError,
    ConnectionFailedError,
    InvalidReferenceError,
)
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.copy.control import Control
from kops_assets_provider.mirror.copy.images import ImageCopy, copy_images
from kops_assets_provider.mirror.model.asset import ProblemKind, State
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from tests.copies import copy_planned_image, copy_planned_images
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer


@pytest.fixture
def upstream():
    with OciRegistryServer() as server:
        yield server


@pytest.fixture
def mirror(registry, upstream):
    """Three images upstream under their own names, and the way to a mirror of them."""
    names = ["registry.k8s.io/pause:3.10", "docker.io/calico/cni:v3", "kopeio/auth:1"]
    for name in names:
        path = name.removeprefix("docker.io/")
        put_image(upstream, f"all/{path}", make_image(name))
    rewrites = {
        "registry.k8s.io": f"{upstream.host}/all/registry.k8s.io",
        "docker.io/": f"{upstream.host}/all/",
    }
    assets = [
        ImageAsset(canonical=x, download=f"{registry.host}/kops/{x.replace('/', '-')}")
        for x in names
    ]
    return assets, Registries(source_rewrites=rewrites)


def names(assets):
    return [(x.canonical, x.download) for x in assets]


def copy(asset, registries, **options):
    return copy_planned_image(
        PlannedImage(canonical=asset.canonical, download=asset.download), registries, **options
    )


def test_what_is_missing_is_planned(mirror):
    """A new mirror needs everything."""
    assets, registries = mirror
    assert set(names(plan_images(assets, registries).to_copy)) == set(names(assets))


def test_what_is_there_is_settled(mirror, registry, upstream):
    """A night with nothing new: two HEAD requests for each image, and no write."""
    assets, registries = mirror
    for asset in assets:
        copy(asset, registries)
    registry.clear()
    upstream.clear()
    plan = plan_images(assets, registries)
    assert plan.to_copy == ()
    assert {x.state for x in plan.settled} == {State.PRESENT}
    methods = [x.method for server in (registry, upstream) for x in server.requests]
    assert methods == ["HEAD"] * 6


def test_an_image_that_is_not_remapped_is_not_asked_about(upstream):
    """kOps copies only where download differs from canonical, and so do we."""
    asset = ImageAsset(canonical=f"{upstream.host}/app:1", download=f"{upstream.host}/app:1")
    plan = plan_images([asset], Registries())
    assert [x.state for x in plan.settled] == [State.NOT_MIRRORED]
    assert upstream.requests == []


def test_the_manifests_of_large_images_are_not_kept(registry, upstream):
    """A plan has all images of a list in memory, so a large one is read again by its copy."""
    names = ["app:1", "large:1"]
    for name in names:
        put_image(upstream, name, make_image(name))
    top = make_image("large:1").top
    upstream.storage.put_manifest("large", top.data + b" " * (2 << 20), top.media_type, "1")
    assets = [
        ImageAsset(canonical=f"{upstream.host}/{x}", download=f"{registry.host}/{x}") for x in names
    ]
    registries = Registries()
    plan = plan_images(assets, registries)
    assert {x.canonical for x in plan.to_copy if x.job is None} == {f"{upstream.host}/large:1"}
    told = []
    results = copy_images(
        [ImageCopy(image=x, registries=registries) for x in plan.to_copy], Control(), told.append
    )
    assert [x.outcome.state for x in results] == [State.COPIED] * 2
    assert {x.outcome.canonical for x in told} == {x.canonical for x in assets}
    assert plan_images(assets, Registries()).to_copy == ()


def test_the_failure_of_a_large_image_is_its_own(registry):
    """It is copied after the others, and an error is an outcome like theirs."""
    names = "127.0.0.1:9/large:1", f"{registry.host}/large:1"
    planned = PlannedImage(canonical=names[0], download=names[1], digest=f"sha256:{'a' * 64}")
    (outcome,) = copy_planned_images([planned], Registries())
    assert outcome.state is State.FAILED
    assert outcome.problem.kind is ProblemKind.CONNECTION_FAILED


def test_two_sources_for_one_target_are_refused(mirror):
    """Nothing is copied when it is not clear what should be."""
    (first, second, _), registries = mirror
    clash = ImageAsset(canonical=second.canonical, download=first.download)
    with pytest.raises(ConflictingTargetsError, match=second.canonical):
        plan_images([first, clash], registries)


def test_one_bad_image_is_left_to_its_own_task(mirror, registry):
    """An image that cannot be asked about does not stop the others from being planned."""
    assets, registries = mirror
    registry.inject(Fault("HEAD", "pause", status=403))
    assert set(names(plan_images(assets, registries).to_copy)) == set(names(assets))


def test_a_target_that_denies_everything_fails_the_plan(mirror, registry):
    """One clear error instead of thirty failed tasks."""
    assets, registries = mirror
    registry.inject(Fault("HEAD", status=403, times=None))
    with pytest.raises(AccessDeniedError):
        plan_images(assets, registries)


def test_a_target_that_is_down_fails_the_plan(mirror):
    """The plan is retried as a whole, since the error is transient."""
    assets, registries = mirror
    down = [
        ImageAsset(canonical=x.canonical, download=f"127.0.0.1:9/{i}:1")
        for i, x in enumerate(assets)
    ]
    with pytest.raises(ConnectionFailedError):
        plan_images(down, registries)


def test_a_copy_tells_what_it_did(mirror):
    """The outcome has the digest, the size and the bytes sent."""
    (asset, *_), registries = mirror
    outcome = copy(asset, registries)
    image = make_image(asset.canonical)
    assert (outcome.state, outcome.facts.content) == (State.COPIED, image.digest)
    assert outcome.facts.size == image.size
    assert outcome.cost.sent == sum(len(x) for x in image.blobs.values())


def test_a_name_that_is_none_is_a_clear_error():
    """kOps' containerProxy turns ``alpine:3`` into the proxy's bare host."""
    with pytest.raises(InvalidReferenceError):
        copy(ImageAsset(canonical="alpine:3", download="proxy.example.com:443/"), Registries())
