"""Check and copy a cluster's files."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kops_assets_provider.exceptions import Side
from kops_assets_provider.files.copy import copy_file as copy_content
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.verify import FileState, Presence
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.control import Control, CopyResult
from kops_assets_provider.mirror.file_looks import FileLooks, sha_of
from kops_assets_provider.mirror.file_sources import file_sources
from kops_assets_provider.mirror.file_stores import FileStores
from kops_assets_provider.mirror.known import Known
from kops_assets_provider.mirror.model import Change, Problem, ProblemKind, State, name_of, now
from kops_assets_provider.mirror.outcome import Cost, Outcome, failed, not_mirrored, outcome_of
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
        return not_mirrored(asset)
    with counted() as traffic:
        found = looks.state(asset)
    if found.is_complete:
        return present(asset, found, traffic.requests)
    is_there = found.file is not Presence.ABSENT
    outcome = outcome_of(
        asset, State.WRONG if is_there else State.MISSING, content=found.sha, size=found.size
    )
    return replace(
        outcome.with_cost(requests=traffic.requests),
        change=looks.change(asset, found),
        problem=wrong_file(looks.reason(asset, found)) if is_there else None,
    )


def wrong_file(reason: str) -> Problem:
    """Return the problem of a file that is at the target, but not as it should be."""
    return Problem(kind=ProblemKind.WRONG_FILE, message=reason, side=Side.TARGET)


@dataclass(frozen=True, slots=True)
class FileCopy:
    """
    A file to copy, and where from and to.

    :param source_rewrites: prefixes of canonical URLs, and where those are really fetched.
    :param deep: read the file at the target, even if its store keeps a hash of it.
    :param http: fetches it; by default a client of its own.
    """

    asset: FileAsset
    stores: FileStores
    source_rewrites: Mapping[str, str] = field(default_factory=dict)
    deep: bool = False
    http: HttpClient | None = None


def copy_file(job: FileCopy, control: Control) -> CopyResult:
    """Copy one file, and its hash beside it, unless the target has both."""
    began, retries, sent = time.monotonic(), control.retries.fork(), [0]
    http = job.http or HttpClient()

    def attempt() -> Outcome:
        return _copy(job, http, retries, control.watch, sent.append)

    error: Exception | None = None
    with counted() as traffic:
        try:
            outcome = retries.call(attempt)
        except Exception as err:  # noqa: BLE001  # one file's failure is its own, whatever it is
            error, outcome = err, failed(name_of(job.asset), Problem.of(err))
    cost = Cost(
        sent=sum(sent),
        requests=traffic.requests,
        retries=retries.count,
        seconds=round(time.monotonic() - began, 3),
    )
    return CopyResult(replace(outcome, cost=cost), error)


def _copy(
    job: FileCopy, http: HttpClient, retries: Retries, on_chunk: OnChunk, on_stored: OnChunk
) -> Outcome:
    asset = job.asset
    store, path = job.stores.open(asset.download)
    done = copy_content(
        HttpFileSource(http, retries),
        file_sources(asset.canonical, source_urls([asset], job.source_rewrites)),
        store,
        path,
        sha_of(asset),
        deep=job.deep,
        on_chunk=on_chunk,
        on_stored=on_stored,
    )
    state = State.COPIED if done.copied or done.sidecar_written else State.PRESENT
    return _verified(asset, state, size=done.size, version=done.version)


def present(asset: FileAsset, found: FileState, requests: int) -> Outcome:
    """Return the outcome of a file that is complete at the target."""
    outcome = _verified(
        asset,
        State.PRESENT,
        size=found.size,
        version=found.version,
        sidecar_version=found.sidecar_version,
    )
    return replace(outcome.with_cost(requests=requests), change=Change.SAME)


def _verified(asset: FileAsset, state: State, **facts: Any) -> Outcome:
    return outcome_of(asset, state, content=asset.sha, verified_at=now(), **facts)
