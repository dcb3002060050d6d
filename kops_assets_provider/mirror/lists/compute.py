"""
A list by the rules of a release: for one cluster as it is, or as it will be.

Several releases or Kubernetes versions give the union of their lists. While a cluster is updated
its old nodes may still be replaced by new ones of the old version, so a mirror must have both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from kops_assets_provider.exceptions import UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.cluster import Cluster
from kops_assets_provider.kops.inventory import list_assets
from kops_assets_provider.kops.warnings import cluster_caveats, environment_caveats
from kops_assets_provider.mirror.lists.find_release import FoundRelease, find_release
from kops_assets_provider.mirror.lists.request import ListRequest
from kops_assets_provider.mirror.model.asset_list import AssetList


def compute_list(cluster: Cluster, kops_versions: Sequence[str], request: ListRequest) -> AssetList:
    """
    Return the list of ``cluster`` for every release, and every Kubernetes version asked for.

    :raises UnknownReleaseError: there is no catalogue for one of the releases.
    :raises UnsupportedKubernetesError: no release supports one of the Kubernetes versions, or none
        of these one of the releases.
    :raises InvalidClusterError: kOps would refuse the cluster, with every reason.
    """
    releases = [find_release(x, nearest=request.nearest_release) for x in kops_versions]
    sources: dict[str, str] = {}
    assets = ClusterAssets.union(_lists(cluster, releases, request, sources))
    caveats = [caveat for found in releases for caveat in found.caveats]
    caveats += [*cluster_caveats(cluster), *environment_caveats(os.environ)]
    known = {x.canonical: "spec" for x in assets.files if x.sha}
    return AssetList(
        cluster=cluster.name,
        kops_version=", ".join(kops_versions),
        assets=assets,
        warnings=tuple(caveats),
        hash_sources={**known, **sources},
    )


def _lists(
    cluster: Cluster,
    releases: Sequence[FoundRelease],
    request: ListRequest,
    sources: dict[str, str],
) -> Iterator[ClusterAssets]:
    """Yield a list for each release with each version that goes with it."""
    versions = request.kubernetes_versions or (cluster.spec["kubernetesVersion"],)
    variants = {x: cluster.with_kubernetes_version(x) for x in versions}
    used: set[str] = set()
    refused: dict[tuple[str, str], UnsupportedKubernetesError] = {}
    for found in releases:
        for version, variant in variants.items():
            try:
                yield _one_list(variant, found, request, sources)
            except UnsupportedKubernetesError as err:
                refused[found.release.version, version] = err
            else:
                used |= {found.release.version, version}
    # An old release need not support the new version, if another one does.
    wanted = {x.release.version for x in releases} | variants.keys()
    if left := wanted - used:
        raise next(err for pair, err in refused.items() if left & set(pair))


def _one_list(
    cluster: Cluster, found: FoundRelease, request: ListRequest, sources: dict[str, str]
) -> ClusterAssets:
    finders = {"pinned": request.find_sha, f"kops {found.catalogue.version}": found.find_sha}

    def find_sha(url: str) -> str | None:
        for source, finder in finders.items():
            if finder and (sha := finder(url)):
                sources.setdefault(url, source)
                return sha
        return None

    return list_assets(
        cluster, found.release, find_sha, any_kubernetes_version=request.any_kubernetes_version
    )
