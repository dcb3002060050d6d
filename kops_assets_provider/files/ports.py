"""
What a file can be copied from and to.

An implementation of ``FileStore`` makes one promise that kOps' own copier does not: nothing wrong is
ever visible. A file appears under its path whole, with the SHA-256 that was asked for, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredFile:
    """
    A file as its store knows it.

    ``size`` is in bytes. ``sha`` is the bare hex SHA-256 that the store itself vouches for, because it
    checked it while the file was written; None if the file has to be read to know.
    """

    size: int
    sha: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """An open source: its body in chunks, and its ``size`` in bytes if the server says it."""

    chunks: Iterator[bytes]
    size: int | None = None


class FileSource(Protocol):
    """Where files are copied from."""

    def open(self, url: str) -> AbstractContextManager[SourceFile]:
        """
        Open the file at ``url``.

        :raises NotFoundError: there is none.
        :raises TransientError: it cannot be had now; ``chunks`` raises it too.
        """
        ...


class FileStore(Protocol):
    """Where files are copied to: a bucket's prefix or a directory, paths relative to it."""

    def stat(self, path: str) -> StoredFile | None:
        """Look at the file itself, never at its side-car; None if there is none."""
        ...

    def read(self, path: str) -> AbstractContextManager[Iterator[bytes]]:
        """Read the file back in chunks. :raises NotFoundError: there is none."""
        ...

    def write(self, path: str, chunks: Iterable[bytes], *, size: int, sha: str) -> None:
        """
        Write a file of ``size`` bytes with the SHA-256 ``sha`` (bare hex), replacing what was there.

        :raises ChecksumMismatchError: the chunks are other bytes; what was there before still is.
        :raises PermanentError: writing is denied, or the bucket is not there.
        :raises TransientError: the store cannot be reached now.
        """
        ...
