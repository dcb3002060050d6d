"""The file repositories that a list names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from kops_assets_provider.files.ports import FileStore
from kops_assets_provider.files.targets import (
    FileTarget,
    Scheme,
    check_file_targets,
    locate,
    locate_place,
    refuse_query,
)

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
        return self.open_target(self.locate(download))

    def locate(self, download: str) -> FileTarget:
        """Return what ``open`` opens; raises InvalidInputError or UnsupportedTargetError."""
        return locate(download, self._file_targets)

    def open_place(self, place: str, path: str) -> tuple[FileStore, str]:
        """Open the store of a place: ``s3://…``, ``gs://…``, a directory, or a download URL."""
        return self.open_target(self.locate_place(place, path))

    def locate_place(self, place: str, path: str) -> FileTarget:
        """Return what ``open_place`` opens; raises InvalidInputError or UnsupportedTargetError."""
        if place.startswith(("http://", "https://")):
            refuse_query(place)
            return self.locate(f"{place.rstrip('/')}/{path}")
        return locate_place(place, path)

    def open_target(self, target: FileTarget) -> tuple[FileStore, str]:
        """Open the store of a target; return it and the path in it."""
        with self._lock:
            key = target.scheme, target.root
            if key not in self._stores:
                self._stores[key] = self._openers[target.scheme](target)
            return self._stores[key], target.path
