"""Plan and copy a cluster's files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kops_assets_provider.exceptions import InvalidInputError, Side
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.ports import FileStore
from kops_assets_provider.files.stores import (
    FileTarget,
    Scheme,
    check_file_targets,
    locate,
    locate_place,
)
from kops_assets_provider.files.verify import Presence, verify_file
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.verify import OnChunk
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, now
from kops_assets_provider.mirror.plan import Plan, make_plan
from kops_assets_provider.mirror.rewrites import rewrite

OpenStore = Callable[[FileTarget], FileStore]


class FileStores:
    """
    Opens file repositories. One object for each task or command: it keeps clients.

    :param openers: opens the store that a target is in, for each kind of store.
    :param file_targets: prefixes of download URLs, and where to write what belongs under them.
    :raises InvalidInputError: an entry of ``file_targets`` is wrong; with all of them.
    """

    def __init__(
        self, openers: Mapping[Scheme, OpenStore], file_targets: Mapping[str, str] | None = None
    ) -> None:
        check_file_targets(file_targets or {})
        self._openers = openers
        self._file_targets = file_targets or {}
        self._lock = threading.Lock()
        self._stores: dict[tuple[Scheme, str], FileStore] = {}

    def open(self, download: str) -> tuple[FileStore, str]:
        """Open the store behind a download URL; return it and the path in it."""
        return self._open(locate(download, self._file_targets))

    def open_place(self, place: str, path: str) -> tuple[FileStore, str]:
        """Open the store of a place: ``s3://…``, ``gs://…``, a directory, or a download URL."""
        if place.startswith(("http://", "https://")):
            return self.open(f"{place.rstrip('/')}/{path}")
        return self._open(locate_place(place, path))

    def _open(self, target: FileTarget) -> tuple[FileStore, str]:
        with self._lock:
            key = target.scheme, target.root
            if key not in self._stores:
                self._stores[key] = self._openers[target.scheme](target)
            return self._stores[key], target.path


def plan_files(assets: Sequence[FileAsset], stores: FileStores) -> Plan[FileAsset]:
    """Look which files the target has, at the files themselves; see ``make_plan``."""

    def settle(asset: FileAsset) -> Outcome | None:
        found = check_file(asset, stores)
        return None if found.state.is_bad else found

    return make_plan(assets, settle)


def check_file(asset: FileAsset, stores: FileStores) -> Outcome:
    """Tell how a file stands at the target; raises what ``verify_file`` does."""
    if asset.download == asset.canonical:
        return Outcome(Kind.FILE, asset.canonical, asset.download, State.NOT_MIRRORED)
    found = verify_file(*stores.open(asset.download), _sha(asset))
    if found.is_complete:
        return _outcome(asset, State.PRESENT, found.size)
    if found.file is Presence.ABSENT:
        return replace(_outcome(asset, State.MISSING, None), content=None, verified_at=None)
    reason = "its hash is not beside it" if found.file is Presence.RIGHT else "it is another file"
    error = {"type": "WrongFile", "message": reason, "side": str(Side.TARGET)}
    outcome = _outcome(asset, State.WRONG, found.size)
    return replace(outcome, content=found.sha, verified_at=None, error=error)


def copy_file_asset(
    asset: FileAsset,
    stores: FileStores,
    source_rewrites: Mapping[str, str],
    on_chunk: OnChunk | None = None,
    http: HttpClient | None = None,
) -> Outcome:
    """
    Copy one file, and its hash beside it, unless it is there; raises what ``copy_file`` does.

    :param http: fetches it; by default a client of its own.
    """
    store, path = stores.open(asset.download)
    url = rewrite(asset.canonical, source_rewrites)
    source = HttpFileSource(http or HttpClient())
    done = copy_file(source, url, store, path, _sha(asset), on_chunk=on_chunk)
    state = State.COPIED if done.copied or done.sidecar_written else State.PRESENT
    return _outcome(asset, state, done.size, done.uploaded)


def _sha(asset: FileAsset) -> str:
    if asset.sha is None:
        raise InvalidInputError(
            asset.canonical, ["its SHA-256 is not known, so it cannot be copied"]
        )
    return asset.sha


def _outcome(asset: FileAsset, state: State, size: int | None, sent: int = 0) -> Outcome:
    names = asset.canonical, asset.download
    return Outcome(Kind.FILE, *names, state, asset.sha, size, sent, verified_at=now())
