"""Check and copy a cluster's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.verify import FileState, Presence
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.http.verify import OnChunk
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.changes import Change
from kops_assets_provider.mirror.file_looks import FileLooks, sha_of
from kops_assets_provider.mirror.file_sources import file_sources
from kops_assets_provider.mirror.file_stores import FileStores
from kops_assets_provider.mirror.known import Known
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, name_of, not_mirrored, now
from kops_assets_provider.mirror.rewrites import source_urls


def check_files(
    assets: Sequence[FileAsset],
    stores: FileStores,
    known: Known | None = None,
    *,
    deep: bool = False,
) -> Callable[[FileAsset], Outcome]:
    """
    Get ready to check files, many at a time; return what tells how one stands at the target.

    :param known: as in ``plan_files``.
    :param deep: read every file, whatever its store says of it.
    """
    looks = FileLooks(assets, stores, known or Known(), deep=deep)
    return partial(_check_file, looks=looks)


def _check_file(asset: FileAsset, looks: FileLooks) -> Outcome:
    if asset.download == asset.canonical:
        return not_mirrored(*name_of(asset))
    with counted() as traffic:
        found = looks.state(asset)
    if found.is_complete:
        return present(asset, found, traffic.requests)
    is_there = found.file is not Presence.ABSENT
    reason = {"type": "WrongFile", "message": looks.reason(asset, found), "side": str(Side.TARGET)}
    return replace(
        _outcome(asset, State.WRONG if is_there else State.MISSING, found.size),
        content=found.sha,
        change=looks.change(asset, found),
        verified_at=None,
        error=reason if is_there else None,
        requests=traffic.requests,
    )


def copy_file_asset(
    asset: FileAsset,
    stores: FileStores,
    source_rewrites: Mapping[str, str],
    on_chunk: OnChunk | None = None,
    http: HttpClient | None = None,
    retries: Retries | None = None,
    *,
    deep: bool = False,
) -> Outcome:
    """
    Copy one file, and its hash beside it, unless it is there; raises what ``copy_file`` does.

    :param http: fetches it; by default a client of its own.
    :param retries: of a source that breaks off.
    :param deep: read what is there, whatever its store says of it.
    """
    store, path = stores.open(asset.download)
    urls = file_sources(asset.canonical, source_urls([asset], source_rewrites))
    retries = retries or Retries()
    source = HttpFileSource(http or HttpClient(), retries)
    with counted() as traffic:
        done = copy_file(source, urls, store, path, sha_of(asset), deep=deep, on_chunk=on_chunk)
    state = State.COPIED if done.copied or done.sidecar_written else State.PRESENT
    outcome = _outcome(asset, state, done.size)
    return replace(
        outcome,
        sent=done.uploaded,
        version=done.version,
        requests=traffic.requests,
        retries=retries.count,
    )


def present(asset: FileAsset, found: FileState, requests: int) -> Outcome:
    """Return the outcome of a file that is complete at the target."""
    return replace(
        _outcome(asset, State.PRESENT, found.size),
        version=found.version,
        sidecar_version=found.sidecar_version,
        requests=requests,
        change=Change.SAME,
    )


def _outcome(asset: FileAsset, state: State, size: int | None) -> Outcome:
    names = Kind.FILE, asset.canonical, asset.download
    return Outcome(*names, state, asset.sha, size, verified_at=now())
