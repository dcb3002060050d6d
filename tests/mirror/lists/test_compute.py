"""A mirror is filled before an upgrade: for versions that the cluster does not have yet."""

from __future__ import annotations

import pytest

from kops_assets_provider.exceptions import (
    InvalidClusterError,
    InvalidInputError,
    UnknownReleaseError,
    UnsupportedKubernetesError,
)
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset
from kops_assets_provider.mirror.lists.get_list import ListRequest, make_list
from kops_assets_provider.mirror.lists.request import split_versions
from tests.mirror.lists.test_get_list import SPEC

OFFLINE = {"cluster_spec": str(SPEC), "fetch_hashes": False}


def listed(kops_version, kubernetes_version=None, **more):
    versions = {"kops_version": kops_version, "kubernetes_version": kubernetes_version}
    return make_list(ListRequest(**OFFLINE, **versions, **more))


def rows(found):
    return {*found.assets.images, *found.assets.files}


def test_a_kubernetes_version_goes_before_the_specs():
    """The list is that of the spec with the new version written into it."""
    spec = SPEC.read_text().replace("kubernetesVersion: v1.35.2", "kubernetesVersion: 1.36.0")
    assert "1.36.0" in spec
    written = make_list(ListRequest(cluster_spec=spec, kops_version="1.36.2", fetch_hashes=False))
    assert listed("1.36.2", "1.36.0").assets == written.assets
    assert listed("1.36.2", "v1.36.0").assets == written.assets


def test_several_kubernetes_versions_give_the_union():
    """Old and new kubelets, while the nodes are replaced one by one."""
    old, new = listed("1.36.2", "1.35.2"), listed("1.36.2", "1.36.0")
    both = listed("1.36.2", ["1.35.2", "1.36.0"])
    assert rows(both) == rows(old) | rows(new)
    assert rows(old) - rows(new)
    assert rows(new) - rows(old)
    names = [x.canonical for x in both.assets.files]
    assert names == sorted(names)
    assert both.hash_sources == {**old.hash_sources, **new.hash_sources}


def test_several_releases_give_the_union():
    """The old nodeup is still wanted until the last old node is gone."""
    old, new = listed("1.35.2"), listed("1.36.2")
    both = listed("1.35.2, 1.36.2")
    assert rows(both) == rows(old) | rows(new)
    assert both.kops_version == "1.35.2, 1.36.2"
    assert set(both.hash_sources.values()) == {"kops 1.35.2", "kops 1.36.2"} & set(
        both.hash_sources.values()
    )


def test_a_version_need_not_go_with_every_release():
    """An upgrade of both: the old release does not know the new Kubernetes."""
    both = listed(["1.35.2", "1.36.2"], ["1.35.2", "1.36.0"])
    assert rows(both) == rows(listed("1.35.2", "1.35.2")) | rows(
        listed("1.36.2", ["1.35.2", "1.36.0"])
    )


@pytest.mark.parametrize(
    ("versions", "error", "words"),
    [
        (("1.35.2", "1.36.0"), UnsupportedKubernetesError, "kOps 1.35.2 supports"),
        ((["1.35.2", "1.36.2"], "1.29.0"), None, None),
        ((["1.35.2", "1.36.2"], "1.20.0"), UnsupportedKubernetesError, "not 1.20.0"),
        (("1.36.2", "newest"), InvalidClusterError, "'newest' is no version"),
        (("1.36.2,1.99.0", None), UnknownReleaseError, "1.99.0"),
    ],
)
def test_a_version_that_goes_with_none_is_an_error(versions, error, words):
    """Nothing that was asked for is left out in silence."""
    if error is None:
        error, words = UnsupportedKubernetesError, "kOps 1.36.2 supports"
    with pytest.raises(error, match=words):
        listed(*versions)


def test_one_file_has_one_hash():
    """Two releases that differ about one file cannot both be right."""
    lists = [
        ClusterAssets(
            images=(), files=(FileAsset(canonical="https://a/x", download="d", sha=sha * 64),)
        )
        for sha in "ab"
    ]
    with pytest.raises(InvalidInputError, match="https://a/x has the hashes aaa"):
        ClusterAssets.union(lists)
    unknown = ClusterAssets(
        images=(), files=(FileAsset(canonical="https://a/x", download="d", sha=None),)
    )
    for order in ([unknown, lists[0]], [lists[0], unknown]):
        assert ClusterAssets.union(order) == lists[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        ("1.36.2", ("1.36.2",)),
        ("1.36.2, 1.35.2 1.36.2", ("1.36.2", "1.35.2")),
        (["1.36.2", "1.35.2,1.34.3"], ("1.36.2", "1.35.2", "1.34.3")),
    ],
)
def test_versions_may_be_written_in_one_text(value, expected):
    """As in a form's field, or in an option that is given twice."""
    assert split_versions(value) == expected
