"""How the files of a list stand at their targets, learnt by few requests."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from kops_assets_provider.exceptions import DriftedError, InvalidInputError, KopsAssetsError
from kops_assets_provider.files.ports import FileStore, StoredFile
from kops_assets_provider.files.verify import SIDECAR, FileState, Look, Presence, verify_file
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset import Change
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.plan.drift import drifted, file_change
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import PATIENT

log = get_logger(__name__)


class FileLooks:
    """
    Looks at the files of one list; safe to share between threads.

    Each store is asked for a listing once, when the first of its files is looked at. It tells which
    side-cars are right, and of some stores which files are.

    :param known: what was learnt before, of files that their stores keep no hash of.
    :param read: read a file of which no hash is known, instead of leaving it *unread*.
    :param deep: read every file, whatever is known of it.
    """

    def __init__(
        self,
        assets: Sequence[FileAsset],
        stores: FileStores,
        known: Known,
        *,
        read: bool = True,
        deep: bool = False,
    ) -> None:
        self._stores = stores
        self._known = known
        self._read = read
        self._deep = deep
        self._lock = threading.Lock()
        self._listings: dict[FileStore, Mapping[str, StoredFile]] = {}
        self._paths: dict[FileStore, set[str]] = defaultdict(set)
        for asset in assets:
            # Whatever is wrong with one of them, the look at it will tell.
            with suppress(KopsAssetsError):
                self._expect(*stores.open(asset.download))

    def state(self, asset: FileAsset) -> FileState:
        """Look at one file; raises what ``verify_file`` does."""
        store, path = self._stores.open(asset.download)
        listed = {} if self._deep else self._listed(store)
        look = Look(listed=listed, read=self._read, deep=self._deep)
        recall = partial(self._known.file, asset)
        return PATIENT.call(partial(verify_file, store, path, sha_of(asset), recall, look))

    def reason(self, asset: FileAsset, found: FileState) -> str:
        """Say what is wrong with a file that is not complete."""
        if found.file is Presence.ABSENT:
            return "it is missing"
        if found.file is Presence.RIGHT:
            return f"its side-car ({SIDECAR}) is missing or wrong"
        if found.file is Presence.UNREAD:
            return "no hash is kept with it: it is read, and replaced if it is wrong"
        size = self._known.file(asset).size
        if size is not None and found.size is not None and found.size < size:
            return f"it is truncated: {found.size} of {size} bytes"
        is_known = found.sha is not None
        actual = f"sha256 {found.sha}" if is_known else f"{found.size} bytes"
        expected = asset.sha if is_known else f"{size} bytes"
        return f"it is another file: {actual} instead of {expected}"

    def change(self, asset: FileAsset, found: FileState) -> Change:
        """Tell how a file that is not complete differs."""
        is_there = found.file is not Presence.ABSENT
        is_read = found.file is not Presence.UNREAD
        known = self._known.record(asset)
        return file_change(sha_of(asset), known, is_there=is_there, is_read=is_read)

    def drifted(self, asset: FileAsset, found: FileState) -> DriftedError:
        """Return the error for a file that must not be overwritten."""
        there = found.sha or f"another file of {found.size} bytes"
        return drifted(asset.canonical, sha_of(asset), there, self._known.record(asset))

    def copy_requests(self, asset: FileAsset) -> int:
        """Return how many requests the target gets by a copy of a file."""
        return self._stores.open(asset.download)[0].copy_requests

    def _expect(self, store: FileStore, path: str) -> None:
        self._paths[store] |= {path, path + SIDECAR} if store.lists_all else {path + SIDECAR}

    def _listed(self, store: FileStore) -> Mapping[str, StoredFile]:
        with self._lock:
            if store not in self._listings:
                self._listings[store] = _list(store, self._paths[store])
            return self._listings[store]


def sha_of(asset: FileAsset) -> str:
    """Return the file's SHA-256; raises InvalidInputError if it is not known."""
    if asset.sha is None:
        raise InvalidInputError(
            asset.canonical, ["its SHA-256 is not known, so it cannot be copied"]
        )
    return asset.sha


def _list(store: FileStore, paths: set[str]) -> Mapping[str, StoredFile]:
    try:
        return PATIENT.call(partial(store.list, paths))
    except KopsAssetsError as err:
        # Nobody has to be allowed to list: it only takes more requests then.
        log.warning("every file is asked for by itself, since they cannot be listed: %s", err)
        return {}
