"""The hosts that a list's sources are on, for whoever looks after the firewall."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.places.rewrites import rewrite
from kops_assets_provider.oci.reference import DOCKER_HUB, Reference

# Where a registry or file host is known to send its clients, as its owner says. What the others
# redirect to is theirs to change and not listed: Kubernetes' own registry, for one, asks everybody
# not to count on it (https://github.com/kubernetes/registry.k8s.io#stability).
_LEADS_TO: Mapping[str, tuple[str, ...]] = {
    # https://docs.docker.com/desktop/setup/allow-list/
    DOCKER_HUB: (
        "auth.docker.io",
        "docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
        "production.cloudflare.docker.com",
        "production.cloudfront.docker.com",
        "registry-1.docker.io",
    ),
    # https://docs.github.com/en/actions/concepts/runners/communicating-with-self-hosted-runners
    "ghcr.io": ("*.githubusercontent.com",),
    "github.com": ("*.githubusercontent.com",),
    # https://access.redhat.com/node/7001746
    "quay.io": ("cdn.quay.io", "cdn01.quay.io", "cdn02.quay.io", "cdn03.quay.io"),
}


def source_hosts(
    assets: ClusterAssets, source_rewrites: Mapping[str, str] | None = None
) -> dict[str, tuple[str, ...]]:
    """
    Return every host that the list is copied from, with the others that it is known to lead to.

    :raises InvalidReferenceError: the list has an image with a name that is none.
    """
    rewrites = source_rewrites or {}
    names = (rewrite(str(Reference.parse(x.canonical)), rewrites) for x in assets.images)
    hosts = {Reference.parse(name).registry for name in names}
    urls = (rewrite(x.canonical, rewrites) for x in assets.files)
    hosts |= {urlsplit(url).netloc.rpartition("@")[2] for url in urls}
    return {host: _LEADS_TO.get(host, ()) for host in sorted(hosts)}
