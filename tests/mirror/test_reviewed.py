"""What could go wrong around a copy: stale plans, other options, one registry on both sides."""

from __future__ import annotations

import threading

import pytest

from kops_assets_provider.exceptions import NotFoundError, UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.lists.get_list import ListRequest, make_list
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.mirror.run.mirror import Mirror
from kops_assets_provider.oci.request_limits import Limits
from tests.copies import copy_planned_image, copy_planned_images
from tests.mirror.lists.test_get_list import SPEC
from tests.outcomes import make_outcome
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer


@pytest.fixture
def source():
    with OciRegistryServer() as server:
        put_image(server, "app/app:1", make_image("app"))
        yield server


@pytest.fixture
def asset(source, registry):
    return ImageAsset(canonical=f"{source.host}/app/app:1", download=f"{registry.host}/kops/app:1")


def copy(asset, rules=None):
    planned = plan_images([asset], registries := Registries(), rules or ImageRules()).to_copy
    return copy_planned_images(planned, registries, rules or ImageRules())


@pytest.mark.parametrize("concurrency", [1, 4])
def test_one_registry_may_be_source_and_target(registry, concurrency):
    """A slot for writing waits for a read, which must not wait for the same slot."""
    put_image(registry, "hub/app:1", make_image("app", layers=6))
    asset = ImageAsset(
        canonical=f"{registry.host}/hub/app:1", download=f"{registry.host}/kops/app:1"
    )
    limits = Limits(concurrency=concurrency)
    opened = Registries(lambda host: RegistryEndpoint(url=f"http://{host}", limits=limits))
    outcomes = []

    def work():
        planned = plan_images([asset], opened).to_copy
        outcomes.extend(copy_planned_images(planned, opened))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert [x.state for x in outcomes] == [State.COPIED]


def test_an_immutable_tag_says_nothing_of_platforms(asset):
    """The index of some platforms is another one than that of more."""
    tags = (asset.canonical,)
    copy(asset, ImageRules(platforms=("linux/amd64",), immutable_tags=tags))
    (more,) = copy(asset, ImageRules(platforms=("linux/amd64", "linux/arm64"), immutable_tags=tags))
    assert more.facts.content == make_image("app").digest


def test_an_old_plan_does_not_move_a_tag_back(source, asset, registry):
    """A copy of an older run is cleared after a newer one has copied what the tag is now."""
    (old,) = plan_images([asset], Registries()).to_copy
    put_image(source, "app/app:1", make_image("new"))
    copy(asset)
    outcome = copy_planned_image(PlannedImage.from_dict(old.to_dict()), Registries())
    new = make_image("new").digest
    assert outcome.state is State.PRESENT
    assert (outcome.facts.content, outcome.facts.drift) == (new, new)
    assert registry.storage.find_tag("kops/app", "1") == new


def test_a_tag_that_is_gone_is_copied_by_its_digest(source, asset):
    """The plan knows what it stood for."""
    (planned,) = plan_images([asset], Registries()).to_copy
    source.inject(Fault("GET", "/manifests/1$", status=404, times=None))
    assert (
        copy_planned_image(PlannedImage.from_dict(planned.to_dict()), Registries()).state
        is State.COPIED
    )


def test_what_was_planned_and_is_gone_says_to_plan_again(source, asset):
    """Clearing the copy alone would fail for ever."""
    (planned,) = plan_images([asset], Registries()).to_copy
    put_image(source, "app/app:1", make_image("new"))
    source.inject(Fault("GET", planned.digest, status=404, times=None))
    with pytest.raises(NotFoundError, match="clear plan_images with its downstream"):
        copy_planned_image(PlannedImage.from_dict(planned.to_dict()), Registries())


def test_the_record_keeps_the_sources_digest():
    """A run that did not ask the source knows no other one."""
    names = Kind.IMAGE, "a", "b"
    copied = make_outcome(*names, State.COPIED, content="trimmed", source="whole")
    before = update_record(None, Report(cluster="c", outcomes=(copied,)), "1", "r")
    present = make_outcome(*names, State.PRESENT, content="trimmed")
    after = update_record(before, Report(cluster="c", outcomes=(present,)), "1", "")
    facts = after.assets[0].facts
    assert (facts.source, facts.content) == ("whole", "trimmed")


def test_a_registry_that_is_down_does_not_keep_files_back(tmp_path, file_server):
    """The report says of every image why, and the files are there."""
    import hashlib

    file_server.put("/kubelet", b"kubelet")
    file = FileAsset(
        canonical=f"{file_server.url}/kubelet",
        download="https://files.example.com/kubelet",
        sha=hashlib.sha256(b"kubelet").hexdigest(),
    )
    from kops_assets_provider.files.directory import DirectoryStore
    from kops_assets_provider.files.targets import Scheme

    stores = FileStores(
        {Scheme.FILE: lambda x: DirectoryStore(x.root)},
        {"https://files.example.com": str(tmp_path)},
    )
    image = ImageAsset(canonical=f"{file_server.host}/app:1", download="127.0.0.1:9/kops/app:1")
    listed = AssetList(
        cluster="c", kops_version="1.36.2", assets=ClusterAssets(images=(image,), files=(file,))
    )
    report = Mirror(registries=Registries(), stores=stores).copy(listed)
    assert [x.state for x in report.outcomes] == [State.FAILED, State.COPIED]
    assert "127.0.0.1:9" in report.outcomes[0].problem.message


def test_the_version_that_nobody_supports_is_named():
    """Not another one, which one of the releases does support."""
    request = ListRequest(
        cluster_spec=str(SPEC),
        kops_version=["1.35.2", "1.36.2"],
        kubernetes_version=["1.35.2", "1.36.0", "1.99.0"],
        fetch_hashes=False,
    )
    with pytest.raises(UnsupportedKubernetesError, match=r"not 1\.99\.0"):
        make_list(request)
