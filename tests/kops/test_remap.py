"""Canonical to download, as kOps v1.36.2 does it in pkg/assets/builder.go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.kops.remap import (
    Locations,
    canonical_url,
    join_url,
    remap_file,
    remap_image,
)

IMAGES = st.from_regex(
    r"([a-z0-9]{1,8}(\.[a-z]{2,4})?(:[0-9]{2,4})?/)?([a-z0-9]{1,6}/){0,3}[a-z0-9]{1,8}:v[0-9]",
    fullmatch=True,
)


@pytest.mark.parametrize(
    ("canonical", "download"),
    [
        ("registry.k8s.io/kube-proxy:v1.34.0", "r.example.com:5000/k/kube-proxy:v1.34.0"),
        ("registry.k8s.io/etcd-manager/slim:v3", "r.example.com:5000/k/etcd-manager-slim:v3"),
        ("quay.io/cilium/cilium:v1", "r.example.com:5000/k/quay.io-cilium-cilium:v1"),
        ("alpine:3", "r.example.com:5000/k/alpine:3"),
        ("r.example.com:5000/k/mine:v1", "r.example.com:5000/k/mine:v1"),
    ],
)
def test_container_registry(canonical: str, download: str) -> None:
    """The Kubernetes registry's prefix goes, and the rest becomes one name in the registry."""
    locations = Locations(container_registry="r.example.com:5000/k")
    assert remap_image(canonical, locations) == download


@pytest.mark.parametrize(
    ("canonical", "download"),
    [
        ("registry.k8s.io/pause:3.10.1", "p.example.com/c/pause:3.10.1"),
        ("docker.io/calico/cni:v1", "p.example.com/c/calico/cni:v1"),
        ("kopeio/auth-api:1.0", "p.example.com/c/kopeio/auth-api:1.0"),
        ("hub/deep/er:1", "p.example.com/c/deep/er:1"),
        ("alpine", "p.example.com/c/alpine"),
        ("alpine:3", "p.example.com/c"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_container_proxy(canonical: str, download: str, slash: str) -> None:
    """The host is replaced, if there is one; a tag looks like a host to kOps (alpine:3)."""
    assert remap_image(canonical, Locations(container_proxy="p.example.com/c" + slash)) == download


@given(IMAGES)
def test_registry_remap_is_idempotent(image: str) -> None:
    """kOps may normalise an image twice, and the second time changes nothing."""
    locations = Locations(container_registry="r.example.com/k")
    once = remap_image(image, locations)
    assert remap_image(once, locations) == once


@given(IMAGES)
def test_proxy_remap_is_idempotent_for_a_bare_host(image: str) -> None:
    """Through a proxy without a path, an image remapped twice is where it was."""
    locations = Locations(container_proxy="p.example.com")
    once = remap_image(image, locations)
    assert remap_image(once, locations) == once


@given(IMAGES)
def test_nothing_is_remapped_without_assets(image: str) -> None:
    """Without spec.assets nodes download the canonical name."""
    assert remap_image(image, Locations()) == image
    assert remap_file(f"https://dl.k8s.io/{image}", Locations()) == f"https://dl.k8s.io/{image}"


@pytest.mark.parametrize(
    ("canonical", "repository", "download"),
    [
        ("https://dl.k8s.io/release/v1/kubelet", "https://f/m", "https://f/m/release/v1/kubelet"),
        ("https://dl.k8s.io/release/v1/kubelet", "https://f/m/", "https://f/m/release/v1/kubelet"),
        (
            "https://dl.k8s.io/release/v1/kubelet",
            "http://f:8080",
            "http://f:8080/release/v1/kubelet",
        ),
        ("https://dl.k8s.io/a", "https://f/m/../n//o", "https://f/n/o/a"),
        ("https://h/a.tgz?token=1", "https://f/m", "https://f/m/a.tgz"),
        ("https://h/a.tgz", "https://f/m?x=1", "https://f/m/a.tgz?x=1"),
        ("https://h/a%20b+c,d", "https://f/m", "https://f/m/a%20b+c,d"),
        ("https://h/a", "https://u@h/m", "https://h/a"),
        ("https://h/a", "https://h:444/m", "https://h:444/m/a"),
    ],
)
def test_file_repository(canonical: str, repository: str, download: str) -> None:
    """The path moves below the file repository; the same host is left alone."""
    assert remap_file(canonical, Locations(file_repository=repository)) == download


@given(st.from_regex(r"(/[a-z0-9+,=@.~-]{1,8}){1,4}", fullmatch=True))
def test_file_remap_is_idempotent(path: str) -> None:
    """A URL on the repository's host stays where it is."""
    locations = Locations(file_repository="https://f.example.com/m")
    once = remap_file(f"https://dl.k8s.io{path}", locations)
    assert remap_file(once, locations) == once


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("HTTPS://Host/a", "https://Host/a"),
        ("https://h/a!b(c)", "https://h/a!b(c)"),
        ("https://h/a%2Fb", "https://h/a%2Fb"),
        ("https://h/a^b", "https://h/a%5Eb"),
        ("https://h/ü", "https://h/%C3%BC"),
        ("https://h/a?b=c d"[:13], "https://h/a?b"),
    ],
)
def test_canonical_url_is_printed_as_go_prints_it(url: str, printed: str) -> None:
    """A user's URL is listed as Go's net/url writes it after parsing."""
    assert canonical_url(url) == printed


@pytest.mark.parametrize(
    "url", ["", "/a/b", "https://", "host/a", "https://h/a b", "https://h/%zz"]
)
def test_canonical_url_refuses(url: str) -> None:
    """What is no absolute URL is refused."""
    with pytest.raises(ValueError, match="it has"):
        canonical_url(url)


@pytest.mark.parametrize(
    "base", ["https://h/ci/v1.36.0", "https://h/ci/v1.36.0/", "https://h//ci/x/../v1.36.0"]
)
def test_join_url_cleans(base: str) -> None:
    """A path below a base URL is joined as Go's path.Join does."""
    assert join_url(base, "bin/kubelet") == "https://h/ci/v1.36.0/bin/kubelet"
