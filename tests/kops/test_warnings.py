"""A list says what will bite whoever mirrors it, and nothing about what will not."""

from __future__ import annotations

import pytest

from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.kops.remap import Locations, remap_file, remap_image
from kops_assets_provider.kops.warnings import (
    asset_caveats,
    cluster_caveats,
    environment_caveats,
)

ECR = "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.21.2"


def codes(*names, files=(), **locations):
    where = Locations(**locations)
    images = tuple(ImageAsset(canonical=x, download=remap_image(x, where)) for x in names)
    urls = tuple(FileAsset(canonical=x, download=remap_file(x, where), sha=None) for x in files)
    return [x.code for x in asset_caveats(ClusterAssets(images=images, files=urls))]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("quay.io/a/b:1", []),
        ("quay.io/a/b:latest", ["mutable-tag"]),
        ("quay.io/a/b", ["mutable-tag"]),
        ("localhost:5000/b", ["mutable-tag"]),
        ("quay.io/a/b@sha256:" + "0" * 64, []),
        ("quay.io/a/b:latest@sha256:" + "0" * 64, []),
        (ECR, ["credentials"]),
        ("public.ecr.aws/a/b:1", []),
    ],
)
def test_images_are_judged_by_their_names(name, expected):
    """A tag that moves, and a registry that asks who one is."""
    assert codes(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("alpine:3", ["bare-name"]), ("library/alpine:3", []), ("docker.io/library/alpine:3", [])],
)
def test_a_proxy_breaks_bare_names(name, expected):
    """kOps takes "alpine:3" for a host; only a proxy is put in a host's place."""
    assert codes(name, container_proxy="proxy.example.com") == expected
    assert codes(name, container_registry="registry.example.com") == []


def test_two_images_become_one():
    """The proxy drops the host, the registry the slashes."""
    names = ("quay.io/a/b:1", "docker.io/a/b:1")
    assert codes(*names, container_proxy="proxy.example.com") == ["two-sources"]
    assert codes("quay.io/a/b-c:1", "quay.io/a-b/c:1", container_registry="r.example.com") == [
        "two-sources"
    ]
    assert codes(*names) == []


def test_files_of_two_hosts_become_one():
    """The file repository keeps the path and drops the host."""
    files = ("https://a.example.com/x/y", "https://b.example.com/x/y")
    assert codes(files=files, file_repository="https://f.example.com") == ["overwritten"]
    assert codes(files=files) == []


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("https://s3.dualstack.us-east-1.amazonaws.com/bucket/k", ["dual-stack"]),
        ("https://bucket.s3.dualstack.us-east-1.amazonaws.com/k", ["dual-stack"]),
        ("https://bucket.s3.us-east-1.amazonaws.com/k", []),
        ("https://files.example.com/dualstack", []),
        (None, []),
    ],
)
def test_dual_stack_hosts_are_told(manifest, repository, expected):
    """kOps' own copier would write to a bucket called dualstack.us-east-1."""
    assets = {"assets": {"fileRepository": repository}} if repository else {}
    cluster = load_cluster(manifest(**assets))
    assert [x.code for x in cluster_caveats(cluster)] == expected


def test_overrides_in_the_environment_are_told():
    """kOps would heed them; an empty one it would not. No value is shown."""
    found = list(environment_caveats({"KOPS_BASE_URL": "https://u:secret@x", "KOPS_ARCH": ""}))
    assert [x.code for x in found] == ["environment"]
    assert "KOPS_BASE_URL is set" in found[0].message
    assert "secret" not in found[0].message
