"""
Where releases differ: rules of 1.34 and 1.35 that no golden cluster reaches, or not of every patch.

The expected images and URLs were read in kOps' tree at each release's tag.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kops_assets_provider.exceptions import InvalidClusterError, UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import known_releases, load_release
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.kops.inventory import list_assets

Manifest = Callable[..., str]

RELEASES = known_releases()
OLDER = [release for release in RELEASES if not release.startswith("1.36.")]
DRIVER = "registry.k8s.io/cloud-provider-gcp/gcp-compute-persistent-disk-csi-driver"
SHA = "0123456789abcdef" * 4


def listed(manifest: Manifest, release: str, *objects: Any, **changes: Any) -> ClusterAssets:
    """Return what a release lists for the small cluster, on a Kubernetes that all support."""
    cluster = load_cluster(manifest(*objects, **{"kubernetesVersion": "1.33.4", **changes}))
    return list_assets(cluster, load_release(release), any_kubernetes_version=True)


def images(assets: ClusterAssets) -> set[str]:
    return {image.canonical for image in assets.images}


def files(assets: ClusterAssets) -> dict[str, str | None]:
    return {file.canonical: file.sha for file in assets.files}


def tags(assets: ClusterAssets, repository: str) -> set[str]:
    """Return the tags of a repository that are on the list."""
    names = (name.rpartition(":") for name in images(assets))
    return {tag for name, _, tag in names if name == repository}


@pytest.mark.parametrize(
    ("repository", "spec", "expected"),
    [
        (
            "registry.k8s.io/etcd",
            {},
            "v3.4.13 v3.5.23 v3.6.5 / v3.4.13 v3.5.24 v3.6.5 / v3.4.13 v3.5.25 v3.6.6 / "
            "v3.4.13 v3.5.30 v3.6.11 / v3.4.13 v3.5.25 v3.6.6 / v3.4.13 v3.5.30 v3.6.11 / "
            "v3.4.13 v3.5.31 v3.6.12 / v3.5.31 v3.6.12 / v3.5.31 v3.6.12 / v3.5.31 v3.6.12",
        ),
        (
            "registry.k8s.io/etcd-manager/etcd-manager-slim",
            {},
            "v3.0.20250917 / v3.0.20250917 / v3.0.20260227 / v3.0.20260512 / v3.0.20260227 / "
            "v3.0.20260512 / v3.0.20260707 / v3.0.20260707 / v3.0.20260707 / v3.0.20260707",
        ),
        (
            "registry.k8s.io/provider-aws/cloud-controller-manager",
            {},
            "v1.33.2 / v1.33.2 / v1.33.2 / v1.33.2 / v1.33.2 / v1.33.2 / v1.33.2 / v1.33.2 / "
            "v1.33.2 / v1.36.1",
        ),
        (
            "registry.k8s.io/autoscaling/cluster-autoscaler",
            {"clusterAutoscaler": {"enabled": True}},
            "v1.33.1 / v1.33.2 / v1.33.2 / v1.33.4 / v1.33.2 / v1.33.4 / v1.33.4 / v1.33.5 / "
            "v1.33.5 / v1.33.5",
        ),
        (
            "quay.io/jetstack/cert-manager-webhook",
            {"certManager": {"enabled": True}},
            "v1.12.10 / v1.12.10 / v1.12.10 / v1.12.10 / v1.19.2 / v1.19.2 / v1.19.5 / v1.19.5 / "
            "v1.19.5 / v1.19.5",
        ),
        (
            "quay.io/cilium/cilium",
            {"networking": {"cilium": {}}},
            "v1.18.2 / v1.18.2 / v1.18.6 / v1.18.6 / v1.18.6 / v1.18.6 / v1.18.6 / v1.18.6 / "
            "v1.18.6 / v1.18.6",
        ),
        (
            "hetznercloud/hcloud-cloud-controller-manager",
            {"cloudProvider": "hetzner"},
            "v1.27.0 / v1.27.0 / v1.27.0 / v1.30.1 / v1.27.0 / v1.30.1 / v1.30.1 / v1.31.0 / "
            "v1.31.0 / v1.31.0",
        ),
        (
            "registry.k8s.io/cloud-provider-gcp/cloud-controller-manager",
            {"cloudProvider": "gce"},
            "v33.1.1 / v33.1.1 / v34.2.0 / v34.2.0 / v35.0.0 / v35.0.0 / v35.0.0 / v35.0.0 / "
            "v35.0.0 / v35.0.0",
        ),
        (
            DRIVER,
            {"cloudProvider": "gce"},
            "v1.10.1 v1.10.13 / v1.10.1 v1.10.13 / v1.22.1 / v1.22.1 / v1.22.1 / v1.22.1 / "
            "v1.22.1 / v1.22.1 / v1.22.1 / v1.22.1",
        ),
        (
            "registry.k8s.io/networking/kindnet",
            {"networking": {"kindnet": {}}},
            " /  / v1.0.0 / v1.0.0 / v1.0.0 / v1.0.0 / v1.0.0 / v1.0.0 / v1.0.0 / v1.0.0",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_patch_releases_change(
    manifest: Manifest, repository: str, spec: dict[str, Any], expected: str
) -> None:
    """Each release has its own versions, which do not only grow from one to the next."""
    found = [tags(listed(manifest, release, **spec), repository) for release in RELEASES]
    assert found == [set(part.split()) for part in expected.split("/")]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (
            "1.31.9",
            "1.7.28+1.3.0 1.7.29+1.3.3 1.7.29+1.3.3 1.7.29+1.3.3 1.7.30+1.3.4 1.7.32+1.3.5 "
            "1.7.32+1.3.5 1.7.32+1.3.5 1.7.32+1.3.5 1.7.32+1.3.5",
        ),
        (
            "1.35.1",
            "2.1.4+1.3.0 2.1.5+1.3.3 2.1.5+1.3.3 2.1.5+1.3.3 2.1.6+1.3.4 2.2.4+1.3.5 "
            "2.2.4+1.3.5 2.2.4+1.3.5 2.2.4+1.3.5 2.2.4+1.3.5",
        ),
        (
            "1.36.0",
            "2.1.4+1.3.0 2.1.5+1.3.3 2.1.5+1.3.3 2.1.5+1.3.3 2.1.6+1.3.4 2.3.1+1.4.2 "
            "2.3.1+1.4.2 2.2.4+1.3.5 2.2.4+1.3.5 2.2.4+1.3.5",
        ),
    ],
)
def test_containerd_and_runc(manifest: Manifest, version: str, expected: str) -> None:
    """Both follow the Kubernetes version, together, and their hashes are on board."""
    for release, pair in zip(RELEASES, expected.split(), strict=True):
        containerd, runc = pair.split("+")
        found = files(listed(manifest, release, kubernetesVersion=version))
        github = "https://github.com"
        for url in (
            f"{github}/containerd/containerd/releases/download/v{containerd}/"
            f"containerd-{containerd}-linux-arm64.tar.gz",
            f"{github}/opencontainers/runc/releases/download/v{runc}/runc.arm64",
        ):
            assert found[url] is not None


@pytest.mark.parametrize("release", RELEASES)
def test_channels_is_a_file_until_1_35_and_an_image_since(manifest: Manifest, release: str) -> None:
    """What applies the addons came as a binary, and comes as an image."""
    assets = listed(manifest, release)
    url = f"https://artifacts.k8s.io/binaries/kops/{release}/linux/amd64/channels"
    assert (url in files(assets)) is (release in OLDER)
    assert (f"registry.k8s.io/kops/channels:{release}" in images(assets)) is (release not in OLDER)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("url", [None, "https://k8s.example.com/v1.33.4"])
def test_mounter_is_for_gce_until_1_35(manifest: Manifest, release: str, url: str | None) -> None:
    """Nodes of GCE fetched a third Kubernetes binary, from a URL too."""
    base = url or "https://dl.k8s.io/release/v1.33.4"
    for cloud, fetched in (("gce", release in OLDER), ("aws", False)):
        found = files(
            listed(manifest, release, cloudProvider=cloud, kubernetesVersion=url or "1.33.4")
        )
        assert (f"{base}/bin/linux/arm64/mounter" in found) is fetched
        assert f"{base}/bin/linux/arm64/kubelet" in found


@pytest.mark.parametrize("release", RELEASES)
def test_pause(manifest: Manifest, release: str) -> None:
    """Until 1.34 pause is listed whatever the spec says, since then if it names no other."""
    pause = "registry.k8s.io/pause"
    version = {"3.9"} if release.startswith("1.34.") else {"3.10.1"}
    assert tags(listed(manifest, release), pause) == version
    own = listed(manifest, release, containerd={"sandboxImage": "example.com/pause:1"})
    assert tags(own, pause) == (version if release.startswith("1.34.") else set())


@pytest.mark.parametrize("release", OLDER)
def test_azure_until_1_35(manifest: Manifest, release: str) -> None:
    """Only the node manager came with kOps, from Kubernetes 1.31 on."""
    azure = {"cloudProvider": "azure"}
    added = images(listed(manifest, release, **azure)) - images(
        listed(manifest, release, cloudProvider="", labels={"alpha.kops.k8s.io/cloud": "metal"})
    )
    assert added == {"mcr.microsoft.com/oss/kubernetes/azure-cloud-node-manager:v1.34.1"}
    old = images(listed(manifest, release, **azure, kubernetesVersion="1.30.1"))
    assert not {image for image in old if image.startswith("mcr.")}


@pytest.mark.parametrize("release", OLDER)
def test_digitalocean_until_1_35(manifest: Manifest, release: str) -> None:
    """The driver and what goes with it."""
    storage = (
        "csi-provisioner:v3.5.0 csi-attacher:v4.3.0 csi-snapshotter:v6.2.2 csi-resizer:v1.8.0 "
        "csi-node-driver-registrar:v2.8.0 snapshot-controller:v6.2.2"
    )
    assert images(listed(manifest, release, cloudProvider="digitalocean")) >= {
        "alpine:3",
        "digitalocean/digitalocean-cloud-controller-manager:v0.1.45",
        "digitalocean/do-csi-plugin:v4.7.1",
        *(f"registry.k8s.io/sig-storage/{image}" for image in storage.split()),
    }


@pytest.mark.parametrize(
    ("release", "block", "listed_"),
    [
        ("1.34.1", None, True),
        ("1.34.1", {"version": "v1.0.0"}, False),
        ("1.34.1", {"enabled": True, "version": "v1.0.0"}, True),
        ("1.34.1", {"enabled": False}, False),
        ("1.34.2", {"version": "v1.22.1"}, True),
        ("1.34.2", {"enabled": False}, False),
    ],
)
def test_disk_driver_of_gce(
    manifest: Manifest, release: str, block: dict[str, Any] | None, *, listed_: bool
) -> None:
    """Before 1.34.2 a block had to enable the driver, and could not choose its version."""
    config = {"cloudConfig": {"gcpPDCSIDriver": block}} if block else {}
    found = tags(listed(manifest, release, cloudProvider="gce", **config), DRIVER)
    usual = {"v1.10.1", "v1.10.13"} if release == "1.34.1" else {"v1.22.1"}
    assert found == (usual if listed_ else set())


@pytest.mark.parametrize("release", RELEASES)
def test_openstack(manifest: Manifest, release: str) -> None:
    """Controller and plugin follow Kubernetes; until 1.35 Kubernetes 1.27 has a patched one."""
    snapshotter = {"v8.3.0"} if release.startswith("1.34.") else {"v8.4.0"}
    spec = {"cloudProvider": "openstack", "snapshotController": {"enabled": True}}
    usual = listed(manifest, release, **spec)
    assert tags(usual, "registry.k8s.io/sig-storage/csi-snapshotter") == snapshotter
    for name in ("openstack-cloud-controller-manager", "cinder-csi-plugin"):
        repository = f"registry.k8s.io/provider-os/{name}"
        assert tags(usual, repository) == {"v1.33.0"}
        spec |= {"networking": {"calico": {}}, "kubernetesVersion": "1.27.9"}
        old = listed(manifest, release, **spec)
        assert tags(old, repository) == ({"v1.27.1"} if release in OLDER else {"v1.27.0"})


@pytest.mark.parametrize("release", RELEASES)
def test_old_containerd_brings_its_own_runc_until_1_35(manifest: Manifest, release: str) -> None:
    """Before containerd 1.6.0 there was no need of another."""
    packages = {"urlAmd64": "https://h/a", "hashAmd64": SHA, "urlArm64": "https://h/b"}
    containerd = {
        "version": "1.5.9",
        "packages": {**packages, "hashArm64": SHA},
        "runc": {"version": "1.1.0"},
    }
    found = files(listed(manifest, release, containerd=containerd))
    assert found["https://h/a"] == SHA
    runc = {url for url in found if "/runc" in url}
    assert (not runc) is (release in OLDER)


@pytest.mark.parametrize(
    ("release", "version"),
    [("1.34.0", "storage.googleapis.com/k8s-artifacts-cni/release/v1.6.1")]
    + [("1.34.1", "storage.googleapis.com/k8s-artifacts-cni/release/v1.6.1")]
    + [
        (release, "github.com/containernetworking/plugins/releases/download/v1.6.2")
        for release in RELEASES[2:]
    ],
)
def test_cni_plugins(manifest: Manifest, release: str, version: str) -> None:
    """The first releases of 1.34 fetched them from another place."""
    urls = [url for url in files(listed(manifest, release)) if "cni-plugins" in url]
    assert len(urls) == 2
    assert all(url.startswith(f"https://{version}/cni-plugins-linux-") for url in urls)


@pytest.mark.parametrize(("version", "cni"), [("1.29.1", "1.3.0"), ("1.30.1", "1.4.1")])
@pytest.mark.parametrize("release", OLDER)
def test_cni_plugins_for_old_kubernetes(
    manifest: Manifest, release: str, version: str, cni: str
) -> None:
    """Until 1.35 two more minor versions are supported."""
    found = files(listed(manifest, release, kubernetesVersion=version))
    assert [url for url in found if f"/v{cni}/cni-plugins-linux-amd64-v{cni}.tgz" in url]


@pytest.mark.parametrize("release", OLDER)
def test_volume_modifier_until_kubernetes_1_30(manifest: Manifest, release: str) -> None:
    """The EBS driver needed another sidecar."""
    modifier = "public.ecr.aws/ebs-csi-driver/volume-modifier-for-k8s:v0.7.0"
    assert modifier in images(listed(manifest, release, kubernetesVersion="1.30.9"))
    assert modifier not in images(listed(manifest, release, kubernetesVersion="1.31.0"))


@pytest.mark.parametrize("release", RELEASES)
def test_images_of_additional_objects(manifest: Manifest, release: str) -> None:
    """Only since 1.36 does a warm pool make kOps look at the user's own objects."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"name": "x", "image": "example.com/x:1"}]},
    }
    found = images(listed(manifest, release, pod, warmPool={}))
    assert ("example.com/x:1" in found) is (release not in OLDER)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cloudProvider": "linode"}, "does not know the cloud linode"),
        ({"kubernetesVersion": "1.28.9"}, "has no CNI plugins for Kubernetes 1.28.9"),
        (
            {
                "containerd": {
                    "version": "latest",
                    "packages": {
                        **dict.fromkeys(("urlAmd64", "urlArm64"), "https://h/x"),
                        **dict.fromkeys(("hashAmd64", "hashArm64"), SHA),
                    },
                    "runc": {"version": "1.1.0"},
                }
            },
            "spec.containerd.version latest is no version",
        ),
        (
            {"containerd": {"version": "1.7.0"}},
            "spec.containerd.version is set, and spec.containerd.runc.version is not",
        ),
        (
            {"containerd": {"version": "1.7.0", "runc": {"version": "1.0.0"}}},
            "spec.containerd.runc.version 1.0.0 is no version from 1.1.0 on",
        ),
    ],
)
@pytest.mark.parametrize("release", OLDER)
def test_clusters_that_older_releases_fail_on(
    manifest: Manifest, release: str, changes: dict[str, Any], problem: str
) -> None:
    """What kOps would refuse is told with the reason."""
    with pytest.raises(InvalidClusterError, match=problem):
        listed(manifest, release, **changes)


@pytest.mark.parametrize("release", RELEASES)
def test_supported_kubernetes(manifest: Manifest, release: str) -> None:
    """A release supports its own minor version of Kubernetes, and some before it."""
    oldest, newest = (29 if release in OLDER else 31), int(release.split(".")[1])
    for minor in (oldest - 1, oldest, newest, newest + 1):
        cluster = load_cluster(
            manifest(kubernetesVersion=f"1.{minor}.0", networking={"calico": {}})
        )
        if oldest <= minor <= newest:
            assert list_assets(cluster, load_release(release)).images
        else:
            with pytest.raises(UnsupportedKubernetesError):
                list_assets(cluster, load_release(release))
