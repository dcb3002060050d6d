"""Ways to a cluster's asset list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from kops_assets_provider.exceptions import InvalidClusterError, InvalidInputError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import load_release
from kops_assets_provider.kops.cluster import Cluster, load_cluster, read_cluster
from kops_assets_provider.kops.inventory import FindSha, first_known, list_assets
from kops_assets_provider.mirror.hashes import fetch_sha
from kops_assets_provider.mirror.rewrites import rewrite

_RECORDS = "kops-assets"  # folder of the records, beside the files


@dataclass(frozen=True, slots=True)
class AssetList:
    """
    A cluster's assets, and what they were computed for.

    :param record_url: where the mirror's record belongs: beside the files, None if they have no
        place.
    """

    cluster: str
    kops_version: str
    assets: ClusterAssets
    record_url: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the keys of ``kops get assets -o json``, and ours."""
        own = {"cluster": self.cluster, "kops_version": self.kops_version}
        return {**own, "record_url": self.record_url, **self.assets.to_dict()}

    @classmethod
    def from_dict(cls, values: object) -> AssetList:
        """Read what ``to_dict`` wrote; raises InvalidInputError."""
        where = "asset list"
        if not isinstance(values, Mapping):
            raise InvalidInputError(where, [f"expected a mapping, got {type(values).__name__}"])
        missing = [name for name in ("cluster", "kops_version") if name not in values]
        if missing:
            raise InvalidInputError(where, [f"it has no {name}" for name in missing])
        assets = ClusterAssets.from_dict(values, where)
        return cls(values["cluster"], values["kops_version"], assets, values.get("record_url"))


def list_cluster(
    cluster_spec: str,
    kops_version: str,
    *,
    find_sha: FindSha | None = None,
    fetch_hashes: bool = True,
    source_rewrites: Mapping[str, str] | None = None,
    any_kubernetes_version: bool = False,
) -> AssetList:
    """
    Compute a cluster's asset list natively.

    :param cluster_spec: a manifest's path (``-`` for standard input), or its text: the Cluster and
        its InstanceGroup documents.
    :param find_sha: asked first for a file's sha, before the release's own hashes and the network.
    :param fetch_hashes: fetch the hashes that kOps does not carry; they are None otherwise.
    :param source_rewrites: prefixes of canonical URLs, and where hashes are really fetched.
    :param any_kubernetes_version: list also for a version that the release does not support.
    :raises PermanentError: the spec, the release or a version is wrong, or a hash is nowhere.
    :raises TransientError: a hash that kOps does not carry cannot be fetched now.
    """
    release = load_release(kops_version)
    cluster = _read(cluster_spec)
    finders = [find_sha] if find_sha else []
    finders.append(release.find_sha)
    if fetch_hashes:
        finders.append(_fetcher(source_rewrites or {}))
    assets = list_assets(
        cluster,
        release,
        first_known(*finders),
        any_kubernetes_version=any_kubernetes_version,
    )
    return AssetList(cluster.name, kops_version, assets, _record_url(cluster))


def _read(cluster_spec: str) -> Cluster:
    if "\n" in cluster_spec:
        return load_cluster(cluster_spec)
    try:
        return read_cluster(cluster_spec)
    except OSError as err:
        problem = f"cannot be read: {err.strerror}; expected a manifest's path, or its text"
        raise InvalidClusterError(f"cluster spec {cluster_spec!r}", [problem]) from err


def _fetcher(source_rewrites: Mapping[str, str]) -> FindSha:
    http = HttpClient()
    return partial(fetch_sha, client=http, rewrite=partial(rewrite, rewrites=source_rewrites))


def _record_url(cluster: Cluster) -> str | None:
    files = cluster.locations.file_repository
    return f"{files.rstrip('/')}/{_RECORDS}" if files else None


def read_shas(path: str) -> FindSha:
    """
    Read a file of pinned hashes, ``canonical URL: sha`` in YAML, for ``list_cluster``.

    :raises InvalidInputError: it is not there, or is not such a file.
    """
    try:
        shas = yaml.safe_load(Path(path).read_text())
    except (OSError, yaml.YAMLError) as err:
        raise InvalidInputError(path, [f"cannot be read: {err}"]) from err
    if not isinstance(shas, dict) or not all(isinstance(x, str) for x in shas.values()):
        raise InvalidInputError(path, ["expected a mapping of canonical URLs to SHA-256 hashes"])
    return shas.get
