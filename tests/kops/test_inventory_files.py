"""
Rule by rule: which files a field adds to the list of kOps 1.36.2, or takes from it.

The expected images and URLs were read in kOps' tree (addon templates, pkg/model/components and
pkg/nodemodel at tag v1.36.2), mostly for rules that no golden cluster reaches.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kops_assets_provider.kops.assets import ClusterAssets

Files = Callable[..., dict[str, str | None]]
List = Callable[..., ClusterAssets]

CONTAINERD = "https://github.com/containerd/containerd/releases/download"
RUNC = "https://github.com/opencontainers/runc/releases/download"
SHA = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("version", "cni"), [("1.31.9", "1.5.1"), ("1.32.0-alpha.1", "1.6.2"), ("1.36.1", "1.6.2")]
)
def test_cni_plugins_follow_kubernetes(files_for: Files, version: str, cni: str) -> None:
    """The CNI plugins belong to the version of Kubernetes, for both architectures."""
    base = f"https://github.com/containernetworking/plugins/releases/download/v{cni}/cni-plugins"
    found = {url for url in files_for(kubernetesVersion=version) if "cni-plugins" in url}
    assert found == {f"{base}-linux-{arch}-v{cni}.tgz" for arch in ("amd64", "arm64")}


@pytest.mark.parametrize("key", ["amazonvpc", "calico", "cilium", "kindnet", "kuberouter", "gce"])
def test_some_networks_bring_their_own_cni_plugins(files_for: Files, key: str) -> None:
    """Amazon VPC, Calico and Cilium need no CNI plugins, all others do."""
    listed = any("cni-plugins" in url for url in files_for(networking={key: {}}))
    assert listed is (key not in {"amazonvpc", "calico", "cilium"})


def test_tools_of_containerd(files_for: Files) -> None:
    """nerdctl and crictl come on request, with the hashes that kOps has on board."""
    tools = files_for(containerd={"installNerdCtl": True, "installCriCtl": True})
    added = {url: sha for url, sha in tools.items() if url not in files_for()}
    assert {url.rpartition("/")[2] for url in added} == {
        "nerdctl-1.7.4-linux-amd64.tar.gz",
        "nerdctl-1.7.4-linux-arm64.tar.gz",
        "crictl-v1.29.0-linux-amd64.tar.gz",
        "crictl-v1.29.0-linux-arm64.tar.gz",
    }
    assert all(added.values())


def test_skip_install_leaves_containerd_out(files_for: Files) -> None:
    """Who installs containerd himself downloads neither it nor its tools."""
    spec = {"skipInstall": True, "version": "2.0.0", "installNerdCtl": True, "installCriCtl": True}
    gone = files_for().keys() - files_for(containerd=spec).keys()
    assert gone == {
        *(
            f"{CONTAINERD}/v2.2.4/containerd-2.2.4-linux-{arch}.tar.gz"
            for arch in ("amd64", "arm64")
        ),
        *(f"{RUNC}/v1.3.5/runc.{arch}" for arch in ("amd64", "arm64")),
    }
    assert files_for(containerd=spec).keys() < files_for().keys()


def test_runc_alone_can_be_chosen(files_for: Files) -> None:
    """A runc version of the user's survives beside the default containerd."""
    files = files_for(containerd={"runc": {"version": "1.2.0"}})
    assert f"{RUNC}/v1.2.0/runc.amd64" in files
    assert f"{CONTAINERD}/v2.2.4/containerd-2.2.4-linux-amd64.tar.gz" in files


def test_packages_of_the_user(files_for: Files) -> None:
    """URL and hash together replace one architecture's package; a hash is taken as it is."""
    packages = {
        "urlAmd64": "https://me/c.tgz",
        "hashAmd64": SHA.upper(),
        "urlArm64": "https://me/x",
    }
    runc = {"packages": {"urlArm64": "https://me/runc", "hashArm64": f"sha256:{SHA}"}}
    files = files_for(containerd={"packages": packages, "runc": runc})
    assert files["https://me/c.tgz"] == files["https://me/runc"] == SHA
    assert "https://me/x" not in files
    assert f"{CONTAINERD}/v2.2.4/containerd-2.2.4-linux-arm64.tar.gz" in files
    assert f"{RUNC}/v1.3.5/runc.amd64" in files
    assert f"{RUNC}/v1.3.5/runc.arm64" not in files


def test_one_package_for_both_architectures_is_listed_once(list_for: List) -> None:
    """Of two files with one canonical URL kOps lists the first."""
    url = "https://me/c.tgz"
    packages = {"urlAmd64": url, "hashAmd64": SHA, "urlArm64": url, "hashArm64": "f" * 64}
    files = [f for f in list_for(containerd={"packages": packages}).files if f.canonical == url]
    assert [f.sha for f in files] == [SHA]


def test_packages_need_no_version(files_for: Files) -> None:
    """With packages for both architectures no version has to exist."""
    packages = {
        "urlAmd64": "https://me/a", "hashAmd64": SHA, "urlArm64": "https://me/b", "hashArm64": SHA,
    }  # fmt: skip
    containerd = {"version": "nightly", "packages": packages, "runc": {"packages": packages}}
    assert {"https://me/a", "https://me/b"} <= files_for(containerd=containerd).keys()


def test_old_containerd_is_a_bundle(files_for: Files) -> None:
    """From 1.4 to 1.6 containerd came as a bundle for amd64 only."""
    packages = {"urlArm64": "https://me/b", "hashArm64": SHA}
    containerd = {"version": "1.5.9", "packages": packages, "runc": {"version": "1.1.0"}}
    name = f"{CONTAINERD}/v1.5.9/cri-containerd-cni-1.5.9-linux-amd64.tar.gz"
    assert {name, "https://me/b"} <= files_for(containerd=containerd).keys()
