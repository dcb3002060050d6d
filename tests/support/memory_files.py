"""A source and a store in memory, for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from kops_assets_provider.exceptions import NotFoundError, Side, TransientError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import SourceFile, StoredFile
from kops_assets_provider.files.store_paths import check_path

_CHUNK = 4  # bytes, so that even a short text is several chunks


class MemorySource:
    """A ``FileSource``: files by URL."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    @contextmanager
    def open(self, url: str) -> Iterator[SourceFile]:
        """Open the file at ``url``."""
        if url not in self.files:
            raise NotFoundError(f"{url}: no such file", side=Side.SOURCE)
        yield SourceFile(chunks=_chunks(self.files[url]), size=len(self.files[url]))


class MemoryStore:
    """A ``FileStore``: ``files`` has them by path, and may be changed behind its back."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    lists_all = True
    copy_requests = 0

    def stat(self, path: str) -> StoredFile | None:
        """Look at the file."""
        raw = self.files.get(check_path(path))
        if raw is None:
            return None
        version = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        return StoredFile(size=len(raw), sha=hashlib.sha256(raw).hexdigest(), version=version)

    def list(self, paths: Collection[str]) -> dict[str, StoredFile]:
        """Look at many files."""
        found = {path: self.stat(path) for path in paths}
        return {path: stored for path, stored in found.items() if stored}

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the file back."""
        if check_path(path) not in self.files:
            raise NotFoundError(f"memory {path}: no such file", side=Side.TARGET)
        yield _chunks(self.files[path])

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """Write a file."""
        raw = b"".join(content)
        if new and self.files.get(check_path(path), raw) != raw:
            raise TransientError(f"memory {path}: another writer was first", side=Side.TARGET)
        self.files[check_path(path)] = raw


def _chunks(raw: bytes) -> Iterator[bytes]:
    return (raw[i : i + _CHUNK] for i in range(0, len(raw), _CHUNK))
