"""What a mirror's record knows, read at most once, and only if somebody asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from kops_assets_provider.files.verify import NOTHING, KnownFile
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.outcome import Kind
from kops_assets_provider.mirror.record import AssetRecord, MirrorRecord

log = logging.getLogger(__name__)

ReadRecord = Callable[[], MirrorRecord | None]


class Known:
    """
    Safe to share between threads.

    :param read: reads the record. If it fails nothing is known, which costs requests and no more.
    """

    def __init__(self, read: ReadRecord) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._record: tuple[MirrorRecord | None] | None = None

    def image(self, asset: ImageAsset) -> AssetRecord | None:
        """Return what is known of an image."""
        return self._find(Kind.IMAGE, asset.canonical, asset.download)

    def file(self, asset: FileAsset) -> KnownFile:
        """Return what is known of a file, if it was the one that is wanted now."""
        known = self._find(Kind.FILE, asset.canonical, asset.download)
        if known is None or known.target != asset.sha:
            return NOTHING
        return KnownFile(known.size, known.version, known.sidecar_version)

    def blobs(self, asset: ImageAsset, there: str) -> tuple[str, ...]:
        """Return the blobs of the image that the target has, if it is the one that is known."""
        known = self.image(asset)
        return tuple(known.blobs or ()) if known and known.target == there else ()

    def _find(self, kind: Kind, canonical: str, download: str) -> AssetRecord | None:
        with self._lock:
            if self._record is None:
                self._record = (self._try(),)
            (record,) = self._record
        return record.find(kind, canonical, download) if record else None

    def _try(self) -> MirrorRecord | None:
        try:
            return self._read()
        except Exception as err:  # noqa: BLE001  # whatever is wrong with it, nothing depends on it
            log.warning("the mirror record is not used: %s", err)
            return None
