"""
What a file can be copied from and to.

An implementation of ``FileStore`` makes one promise that kOps' own copier does not: nothing wrong
is ever visible. A file appears under its path whole, with the SHA-256 that was asked for, or not at
all. ``FileStoreContract`` in ``tests.support`` holds it to that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from kops_assets_provider.files.content import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """
    A file as its store knows it.

    :param size: in bytes.
    :param sha: the SHA-256, bare hex, that was checked while the file was written, and is kept with
        it; None if the file has to be read to know.
    :param version: what is another one as soon as the bytes are: the MD5 in hex where the store
        tells that, else a text of its own; None if it has none.
    """

    size: int
    sha: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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
    """
    Where files are copied to: a bucket or a directory.

    Paths are relative to it, decoded, with ``/`` between their parts (``binaries/a,b``). Every
    method raises InvalidInputError for a path that could lead out of it.
    """

    lists_all: bool
    """Whether ``list`` tells all that ``stat`` does, so that nobody needs to ask for each file."""

    copy_requests: int
    """How many requests it takes to copy a file that is not there, and its side-car."""

    def stat(self, path: str) -> StoredFile | None:
        """Look at the file itself, never at its side-car; None if there is none."""
        ...

    def list(self, paths: Collection[str]) -> Mapping[str, StoredFile]:
        """
        Look at many files by as few requests as the store allows.

        It may leave out files that are there: one that is left out has to be asked for by ``stat``.
        """
        ...

    def read(self, path: str) -> AbstractContextManager[Iterator[bytes]]:
        """Read the file back in chunks; raises NotFoundError if there is none."""
        ...

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """
        Write a file, replacing what was there; on any error, what was there before still is.

        What iterating ``content`` raises is passed on, and then nothing may become visible.

        :param new: ``stat`` said that nothing is there. A store that can tell then leaves alone
            what another writer has put there meanwhile: the same file is fine, another one is a
            TransientError.
        :raises ChecksumMismatchError: the content is not what it should be.
        :raises PermanentError: writing is denied, or the bucket is not there.
        :raises TransientError: the source or the store fails now.
        """
        ...
