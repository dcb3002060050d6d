"""What the records of mirrors know, each read at most once, and only if somebody asks."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping

from kops_assets_provider.files.verify import NOTHING, KnownFile
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset import Name, name_of
from kops_assets_provider.mirror.record.record import AssetRecord, MirrorRecord

log = get_logger(__name__)

ReadRecord = Callable[[], MirrorRecord | None]


class Known:
    """
    Safe to share between threads.

    :param reads: each reads a record: of one cluster, or those of several, which are read one after
        another until one knows what is wanted. If one fails it knows nothing, which costs requests
        and no more.
    """

    def __init__(self, *reads: ReadRecord) -> None:
        self._unread = list(reads)
        self._records: list[Mapping[Name, AssetRecord]] = []
        self._lock = threading.Lock()

    def image(self, asset: ImageAsset, there: str | None = None) -> AssetRecord | None:
        """Return what is known of an image, rather where it is the one that is ``there``."""
        return self._find(asset, there)

    def file(self, asset: FileAsset) -> KnownFile:
        """Return what is known of a file, if it was the one that is wanted now."""
        known = self._find(asset, asset.sha)
        if known is None or known.facts.content != asset.sha:
            return NOTHING
        facts = known.facts
        return KnownFile(size=facts.size, version=facts.version, sidecar=facts.sidecar_version)

    def record(self, asset: FileAsset) -> AssetRecord | None:
        """Return what is known of a file, whatever it was."""
        return self._find(asset, asset.sha)

    def blobs(self, asset: ImageAsset, there: str) -> tuple[str, ...]:
        """Return the blobs of the image that the target has, if it is the one that is known."""
        known = self.image(asset, there)
        return tuple(known.facts.blobs) if known and known.facts.content == there else ()

    def _find(self, asset: ImageAsset | FileAsset, content: str | None) -> AssetRecord | None:
        """Return what the first record knows that has that content, or any if none has."""
        any_of_them = None
        for record in self._each():
            found = record.get(name_of(asset))
            if found and content in (None, found.facts.content):
                return found
            any_of_them = any_of_them or found
        return any_of_them

    def _each(self) -> Iterator[Mapping[Name, AssetRecord]]:
        for number in itertools.count():
            with self._lock:
                while self._unread and len(self._records) <= number:
                    self._try(self._unread.pop(0))
                if len(self._records) <= number:
                    return
                record = self._records[number]
            yield record

    def _try(self, read: ReadRecord) -> None:
        try:
            if record := read():
                self._records.append({x.asset: x for x in record.assets})
        except Exception as err:  # noqa: BLE001  # whatever is wrong with it, nothing depends on it
            log.warning("the mirror record is not used: %s", err)
