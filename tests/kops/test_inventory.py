"""
What holds for the list of kOps 1.36.2 as a whole: refusals, hashes, order, locations.

The expected images and URLs were read in kOps' tree (addon templates, pkg/model/components and
pkg/nodemodel at tag v1.36.2), mostly for rules that no golden cluster reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kops_assets_provider.exceptions import InvalidClusterError, UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import load_release
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.kops.inventory import first_known, list_assets

Images = Callable[..., set[str]]
Files = Callable[..., dict[str, str | None]]
List = Callable[..., ClusterAssets]

GROUPS = {
    "control-plane": {"role": "Master"},
    "gpu": {"role": "Node", "containerd": {"nvidiaGPU": {"enabled": True}}},
}
K8S = "registry.k8s.io"
SHA = "0123456789abcdef" * 4


def test_kubernetes_from_a_url(images_for: Images, files_for: Files) -> None:
    """A build of Kubernetes at a URL brings its images as files, and pulls none."""
    url = "https://storage.example.com/ci/v1.35.0-alpha.0.1+ab/"
    images, files = images_for(kubernetesVersion=url), files_for(kubernetesVersion=url)
    assert not any("/kube-proxy" in i or "/kube-scheduler" in i for i in images)
    folder = "https://storage.example.com/ci/v1.35.0-alpha.0.1+ab/bin/linux/arm64"
    names = {u.removeprefix(folder + "/") for u in files if u.startswith(folder)}
    assert names == {
        "kubelet", "kubectl", "kube-proxy.tar", "kube-apiserver.tar",
        "kube-controller-manager.tar", "kube-scheduler.tar",
    }  # fmt: skip
    assert f"{K8S}/provider-os/cinder-csi-plugin:v1.35.0" in images_for(
        kubernetesVersion=url, cloudProvider="openstack"
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"containerd": {"version": "2.1.0"}},
            "spec.containerd.version is set, and spec.containerd.runc.version is not",
        ),
        (
            {"containerd": {"version": "2.1.0", "runc": {"version": "1.0.3"}}},
            "spec.containerd.runc.version 1.0.3 is no version from 1.1.0 on",
        ),
        (
            {"containerd": {"version": "1.3.9", "runc": {"version": "1.1.0"}}},
            "spec.containerd.version 1.3.9 is no version from 1.4.0 on",
        ),
        (
            {"containerd": {"version": "nightly", "runc": {"version": "1.1.0"}}},
            "spec.containerd.version nightly is no version from 1.4.0 on",
        ),
        (
            {"containerd": {"version": "1.5.9", "runc": {"version": "1.1.0"}}},
            "containerd 1.5.9 does not exist for arm64",
        ),
        ({"networking": {"weave": {}}}, "kOps 1.36.2 does not support the networking of canal"),
        ({"cloudProvider": "gce", "networking": {"amazonvpc": {}}}, "is for aws clusters only"),
        (
            {"karpenter": {"enabled": True}, "nodeTerminationHandler": {}},
            "spec.nodeTerminationHandler cannot be used together with karpenter",
        ),
        (
            {"cloudConfig": {"awsEBSCSIDriver": {"enabled": False}}},
            "spec.cloudConfig.awsEBSCSIDriver.enabled must not be false",
        ),
        (
            {"groups": GROUPS},
            "an instance group enables containerd.nvidiaGPU, and the cluster has no such block",
        ),
        (
            {"containerd": {"packages": {"urlAmd64": "https://me/a", "hashAmd64": "12"}}},
            "the hash given for https://me/a is none",
        ),
        (
            {"containerd": {"packages": {"urlAmd64": "me/a", "hashAmd64": SHA}}},
            "'me/a' is no URL: it has no scheme or no host",
        ),
        (
            {"kubernetesVersion": "https:/v1.35.0/"},
            "'https:/v1.35.0/' is no URL: it has no scheme or no host",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_clusters_that_kops_fails_on(list_for: List, changes: Any, problem: str) -> None:
    """Where kOps gives no list, neither do we, and say why."""
    with pytest.raises(InvalidClusterError) as caught:
        list_for(**changes)
    assert str(caught.value).startswith("small.example.com: ")
    assert problem in str(caught.value)


def test_all_refusals_come_at_once(list_for: List) -> None:
    """Every reason of a release is told together."""
    with pytest.raises(InvalidClusterError) as caught:
        list_for(containerd={"version": "1.5.9"}, networking={"weave": {}})
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("version", ["1.30.14", "1.37.0-alpha.1", "1.9", "2.31.0"])
def test_unsupported_kubernetes(manifest: Callable[..., str], version: str) -> None:
    """A version outside the release's range is an error, unless any version is wanted."""
    cluster = load_cluster(manifest(kubernetesVersion=version, networking={"calico": {}}))
    release = load_release("1.36.2")
    with pytest.raises(UnsupportedKubernetesError) as caught:
        list_assets(cluster, release)
    assert f"supports Kubernetes 1.31.0 to 1.36, not {version}" in str(caught.value)
    assert list_assets(cluster, release, any_kubernetes_version=True).images


def test_no_cni_plugins_for_an_old_kubernetes(manifest: Callable[..., str]) -> None:
    """Even then kOps has no CNI plugins for a Kubernetes before 1.31, and fails."""
    cluster = load_cluster(manifest(kubernetesVersion="1.30.0"))
    with pytest.raises(InvalidClusterError, match=r"no CNI plugins for Kubernetes 1\.30\.0"):
        list_assets(cluster, load_release("1.36.2"), any_kubernetes_version=True)


def test_find_sha_is_asked_for_every_file_but_the_users(manifest: Callable[..., str]) -> None:
    """The caller's finder decides, also over hashes on board; the spec's own hash stands."""
    packages = {"urlAmd64": "https://me/c.tgz", "hashAmd64": SHA}
    cluster = load_cluster(manifest(containerd={"packages": packages}))
    asked: list[str] = []

    def find_sha(canonical: str) -> str:
        asked.append(canonical)
        return "a" * 64

    assets = list_assets(cluster, load_release("1.36.2"), find_sha)
    assert {f.canonical: f.sha for f in assets.files} == {
        **dict.fromkeys(asked, "a" * 64),
        "https://me/c.tgz": SHA,
    }
    assert "https://dl.k8s.io/release/v1.35.2/bin/linux/amd64/kubelet" in asked


def test_first_known_asks_in_turn() -> None:
    """The first finder that knows a hash is the last that is asked."""
    find_sha = first_known({"a": "1"}.get, {"a": "2", "b": "3"}.get)
    assert [find_sha(name) for name in "abc"] == ["1", "3", None]


def test_lists_are_sorted_and_without_doubles(list_for: List) -> None:
    """Both lists are sorted by canonical name, each of which occurs once."""
    assets = list_for(cloudProvider="digitalocean", snapshotController={"enabled": True})
    for rows in (assets.images, assets.files):
        names = [row.canonical for row in rows]
        assert names == sorted(set(names))


def test_locations_of_the_cluster_apply(list_for: List) -> None:
    """spec.assets decides where everything is downloaded from."""
    locations = {"containerRegistry": "r.example.com", "fileRepository": "https://f.example.com/m"}
    assets = list_for(assets=locations)
    assert all(i.download.startswith("r.example.com/") for i in assets.images)
    assert all(f.download.startswith("https://f.example.com/m/") for f in assets.files)


def test_the_cluster_stays_as_it_was(manifest: Callable[..., str]) -> None:
    """Filling in defaults for one release leaves the cluster fit for the next."""
    cluster = load_cluster(manifest())
    list_assets(cluster, load_release("1.36.2"))
    assert cluster == load_cluster(manifest())
