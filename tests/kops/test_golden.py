"""Our lists equal those that kOps' own code printed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import yaml

from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import known_releases, load_release
from kops_assets_provider.kops.cluster import read_cluster
from kops_assets_provider.kops.inventory import first_known, list_assets

OURS = Path(__file__).parents[1] / "golden"
# kOps' own test clusters are not ours to carry along; they are compared where they are at hand.
ALL = Path(__file__).parents[3] / "shared" / "golden"
FOLDER = ALL if ALL.is_dir() else OURS
RELEASES = ("1.34.3", "1.35.2", "1.36.2")
FORMATS_RELEASE = "1.36.2"


def specs() -> list[Path]:
    """Return the manifests of the releases that have a catalogue; others may lie there too."""
    return sorted(x for x in FOLDER.glob("*/specs/*.yaml") if x.parts[-3] in known_releases())


@pytest.mark.parametrize(
    "spec",
    specs(),
    ids=lambda spec: f"{spec.parts[-3]}-{spec.stem}",
)
def test_list_equals_that_of_kops(spec: Path) -> None:
    """Images, files, download locations, hashes and order are those of kops get assets."""
    expected = yaml.safe_load((spec.parent.parent / "assets" / spec.name).read_text())
    # kOps made the lists with its Kubernetes version gate off.
    release = load_release(spec.parts[-3])
    assets = list_assets(read_cluster(spec), release, any_kubernetes_version=True)
    assert assets.to_dict() == expected


@pytest.mark.parametrize("release", RELEASES)
def test_our_own_clusters_are_among_the_golden_ones(release: str) -> None:
    """The comparison above is never empty."""
    assert len(list(OURS.glob(f"{release}/specs/own-*.yaml"))) == 13
    assert len(list(FOLDER.glob(f"{release}/specs/*.yaml"))) >= 13


@pytest.fixture(params=["own-aws-registry", "own-gce-gar"])
def printed(request: pytest.FixtureRequest) -> tuple[ClusterAssets, str]:
    """A list, and the name of the files with what kOps printed for it."""
    release = load_release(FORMATS_RELEASE)
    # The files were made without a network: the hash of a URL stands in for that of the file.
    find_sha = first_known(
        release.find_sha, lambda canonical: hashlib.sha256(canonical.encode()).hexdigest()
    )
    cluster = read_cluster(OURS / FORMATS_RELEASE / "specs" / f"{request.param}.yaml")
    return list_assets(cluster, release, find_sha), request.param


def test_json_is_that_of_kops(printed: tuple[ClusterAssets, str]) -> None:
    """The JSON is kOps', byte for byte."""
    assets, name = printed
    assert assets.to_json() == (OURS / "formats" / f"{name}.json").read_text()


def test_yaml_is_that_of_kops(printed: tuple[ClusterAssets, str]) -> None:
    """The YAML is kOps', byte for byte."""
    assets, name = printed
    assert assets.to_yaml() == (OURS / "formats" / f"{name}.yaml").read_text()


def test_table_is_that_of_kops(printed: tuple[ClusterAssets, str]) -> None:
    """The tables are kOps', each after an empty line, which the golden file leaves out."""
    assets, name = printed
    images, files = assets.to_table().removeprefix("\n").split("\n\n")
    assert f"{images}\n{files}" == (OURS / "formats" / f"{name}.table").read_text()
