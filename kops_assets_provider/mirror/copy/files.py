"""Check and copy a cluster's files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kops_assets_provider.files.copy import copy_file as copy_content
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.copy.control import Control, CopyResult
from kops_assets_provider.mirror.model.asset import (
    Problem,
    State,
    name_of,
)
from kops_assets_provider.mirror.model.outcome import (
    Cost,
    Outcome,
    failed,
)
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.rewrites import source_urls
from kops_assets_provider.mirror.places.well_known_mirrors import file_sources
from kops_assets_provider.mirror.plan.file_checks import verified
from kops_assets_provider.mirror.plan.file_states import sha_of


@dataclass(frozen=True, slots=True, kw_only=True)
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
    return CopyResult(outcome=replace(outcome, cost=cost), error=error)


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
    return verified(asset, state, size=done.size, version=done.version)
