"""
Ways to a cluster's asset list: computed here, by kops itself, or saved before.

Whichever way it comes, the list has one shape, and the same is done to it: what kOps does not list
is added if asked for, hashes that nobody knew are fetched, and what will bite is told. Everything
that speaks to a network is imported when it is needed: the plain list is wanted at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import InvalidClusterError, InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.cluster import Cluster, load_cluster, read_cluster
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.kops.inventory import FindSha
from kops_assets_provider.kops.warnings import Caveat, asset_caveats
from kops_assets_provider.mirror.lists.compute import compute_list
from kops_assets_provider.mirror.lists.request import ListRequest
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.rewrites import source_urls
from kops_assets_provider.regular_files import read_document

if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand
    from kops_assets_provider.mirror.places.state.places import StateStores

__all__ = ["AssetList", "ListRequest", "list_cluster", "make_list", "read_shas"]


def make_list(
    request: ListRequest,
    stores: Callable[[], StateStores] | None = None,
    kops: KopsCommand | None = None,
) -> AssetList:
    """
    Return a cluster's asset list.

    :param stores: opens state stores; by the SDKs' default credentials if None.
    :param kops: the program to list with; without it the list is computed here.
    :raises PermanentError: the spec, the release, the list or a parameter is wrong, a hash is
        nowhere, or kops failed.
    :raises TransientError: a state store, a hash or kops' cloud cannot be reached now.
    """
    request.check(by_kops=kops is not None)
    reader = _Reader(request, stores)
    if request.asset_list:
        listed = reader.saved(request.asset_list)
    elif kops:
        listed = reader.by_kops(kops)
    else:
        listed = reader.computed()
    if request.adds:
        listed = _with_more(listed, reader.cluster(), request)
    listed.assets.check_names(f"list of {listed.cluster}")
    listed = _with_hashes(listed, request)
    # A saved list has warnings of its own, which may be the same.
    caveats = dict.fromkeys((*listed.warnings, *asset_caveats(listed.assets)))
    return replace(listed, warnings=tuple(caveats))


def list_cluster(
    cluster_spec: str,
    kops_version: str,
    *,
    find_sha: FindSha | None = None,
    fetch_hashes: bool = True,
    source_rewrites: Mapping[str, str] | None = None,
    any_kubernetes_version: bool = False,
) -> AssetList:
    """Compute the list of a manifest; see :class:`ListRequest` for the parameters."""
    request = ListRequest(
        cluster_spec=cluster_spec,
        kops_version=kops_version,
        find_sha=find_sha,
        fetch_hashes=fetch_hashes,
        source_rewrites=source_rewrites or {},
        any_kubernetes_version=any_kubernetes_version,
    )
    return make_list(request)


class _Reader:
    """Reads what a request names, each thing at most once."""

    def __init__(self, request: ListRequest, stores: Callable[[], StateStores] | None) -> None:
        self._request = request
        self._open_stores = stores
        self._stores: StateStores | None = None
        self._cluster: Cluster | None = None

    def stores(self) -> StateStores:
        if self._stores is None:
            from kops_assets_provider.mirror.places.state.places import StateStores

            self._stores = self._open_stores() if self._open_stores else StateStores()
        return self._stores

    def cluster(self) -> Cluster:
        if self._cluster is None:
            self._cluster = self._read_cluster()
        return self._cluster

    def _read_cluster(self) -> Cluster:
        request = self._request
        if not (request.state_store and request.cluster_name):
            return _read(request.cluster_spec or "", from_shell=request.from_shell)
        from kops_assets_provider.mirror.places.state.clusters import read_stored_cluster

        return read_stored_cluster(self.stores().open(request.state_store), request.cluster_name)

    def _kops_versions(self) -> tuple[str, ...]:
        request = self._request
        if request.kops_versions:
            return request.kops_versions
        from kops_assets_provider.mirror.places.state.clusters import stored_kops_version

        store = request.state_store or ""
        return (stored_kops_version(self.stores(), store, self.cluster()),)

    def saved(self, url: str) -> AssetList:
        from kops_assets_provider.mirror.lists.saved_lists import read_saved_list

        name, version = self._request.cluster_name or "", self._wanted_version()
        listed = read_saved_list(url, self.stores(), name, version)
        return replace(listed, hash_sources=_known(listed.assets, "list"))

    def by_kops(self, kops: KopsCommand) -> AssetList:
        wanted, version = self._wanted_version(), kops.version()
        if wanted and wanted.removeprefix("v") != version:
            raise InvalidInputError("kops_version", [f"{wanted} is wanted, kops is {version}"])
        name, store = self._request.cluster_name or "", self._request.state_store or ""
        assets = kops.list_assets(store, name)
        listed = AssetList.from_saved(assets.to_dict(), "kops", name, version)
        return replace(listed, hash_sources=_known(assets, f"kops {version}"))

    def computed(self) -> AssetList:
        return compute_list(self.cluster(), self._kops_versions(), self._request)

    def _wanted_version(self) -> str:
        return next(iter(self._request.kops_versions), "")


def _known(assets: ClusterAssets, source: str) -> dict[str, str]:
    return {x.canonical: source for x in assets.files if x.sha}


def _with_more(listed: AssetList, cluster: Cluster, request: ListRequest) -> AssetList:
    from kops_assets_provider.kops.unlisted import unlisted_images
    from kops_assets_provider.mirror.lists.extras import with_files, with_images

    own = unlisted_images(cluster, listed.assets) if request.extended else []
    where = cluster.locations
    assets = with_images(listed.assets, [*own, *request.extra_images], where)
    assets = with_files(assets, request.extra_files, where)
    sources = {**_known(assets, "extra"), **listed.hash_sources}
    elsewhere = {x.canonical for x in assets.images if x.download != x.canonical}
    caveats = listed.warnings
    if unread := [x for x in own if x in elsewhere]:
        message = f"nodes pull these by the names that stand here, mirrored or not: {unread}"
        caveats += (
            Caveat(code="not-rewritten", message=f"{message}; write the mirror's into the spec"),
        )
    return replace(listed, assets=assets, warnings=caveats, hash_sources=sources)


def _with_hashes(listed: AssetList, request: ListRequest) -> AssetList:
    """Settle the hashes: pinned ones go before a list's own, what nobody knows is fetched."""
    shas: dict[str, tuple[str, str]] = {}
    for file in listed.assets.files:
        pinned = request.find_sha(file.url) if request.find_sha else None
        if request.find_sha and not pinned:
            pinned = request.find_sha(file.canonical)
        if pinned and listed.hash_sources.get(file.canonical) != "spec":
            shas[file.canonical] = pinned, "pinned"
    unknown = [x for x in listed.assets.files if not x.sha and x.canonical not in shas]
    if unknown and request.fetch_hashes:
        from kops_assets_provider.http.client import HttpClient
        from kops_assets_provider.mirror.lists.hashes import fetch_shas

        rewriting = source_urls(unknown, request.source_rewrites)
        shas |= fetch_shas([x.canonical for x in unknown], HttpClient(), rewrite=rewriting)
    files = tuple(
        replace(x, sha=shas[x.canonical][0]) if x.canonical in shas else x
        for x in listed.assets.files
    )
    sources = {**listed.hash_sources, **{name: source for name, (_, source) in shas.items()}}
    return replace(listed, assets=replace(listed.assets, files=files), hash_sources=sources)


def _read(cluster_spec: str, *, from_shell: bool) -> Cluster:
    if "\n" in cluster_spec:
        return load_cluster(cluster_spec)
    try:
        return read_cluster(cluster_spec, from_shell=from_shell)
    except OSError as err:
        problem = f"cannot be read: {err.strerror}; expected a manifest's path, or its text"
        raise InvalidClusterError(f"cluster spec {cluster_spec!r}", [problem]) from err


def read_shas(path: str, *, pipes: bool = False) -> FindSha:
    """
    Read a file of pinned hashes, ``canonical URL: sha`` in YAML, for ``list_cluster``.

    :param pipes: it may be a pipe, as a shell's ``<(…)``.
    :raises InvalidInputError: it is not there, or is not such a file.
    """
    from kops_assets_provider.files.verify import is_sha256
    from kops_assets_provider.http.urls import redact

    try:
        (shas,) = load_documents(read_document(path, pipes=pipes).decode("utf-8-sig")) or [{}]
    except (OSError, UnicodeDecodeError, YamlError) as err:
        raise InvalidInputError(path, [f"cannot be read: {err}"]) from err
    except ValueError as err:
        raise InvalidInputError(path, ["it has several documents, expected one"]) from err
    if not isinstance(shas, dict):
        raise InvalidInputError(path, ["expected a mapping of canonical URLs to SHA-256 hashes"])
    wrong = [redact(str(url)) for url, sha in shas.items() if not is_sha256(sha)]
    if wrong:
        advice = "SHA-256 in lower-case hex, in quotes if it is all digits"
        raise InvalidInputError(path, [f"no {advice}, for {url}" for url in wrong])
    return shas.get
