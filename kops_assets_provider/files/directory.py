"""
Files in a directory, where a web server or a shared file system makes them available.

A file is written under a temporary name beside its own, flushed to the disk, and renamed: readers
see the old file or the new one, whatever happens.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    Side,
    TransientError,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.paths import check_path
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.http.pools import CHUNK_SIZE

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.part", re.ASCII)
_LEFT = 24 * 3600.0  # seconds without a byte; no copy that still runs is that slow
_ERRORS: dict[int, type[KopsAssetsError]] = {
    errno.ENOENT: NotFoundError,
    errno.EACCES: AccessDeniedError,
    errno.EPERM: AccessDeniedError,
    errno.EROFS: AccessDeniedError,
    errno.EEXIST: UnsupportedTargetError,  # a file where a directory would have to be
    errno.EISDIR: UnsupportedTargetError,
    errno.ENOTDIR: UnsupportedTargetError,
    errno.ENAMETOOLONG: UnsupportedTargetError,
}


class DirectoryStore:
    """
    A ``FileStore``: the files below ``root``, which is made if it is not there.

    It keeps no hashes, so that verifying a file means reading it. A symbolic link is followed as
    long as it stays below ``root``. What another process wrote meanwhile is replaced.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(root).resolve()

    lists_all = False
    copy_requests = 0

    def list(self, paths: Collection[str]) -> dict[str, StoredFile]:
        """Tell nothing: a look at each file costs as little."""
        for path in paths:
            check_path(path)
        return {}

    def stat(self, path: str) -> StoredFile | None:
        """Look at the file."""
        file = self._file(path)
        with _told(file):
            try:
                status = file.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            return StoredFile(status.st_size) if stat.S_ISREG(status.st_mode) else None

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the file back."""
        file = self._file(path)
        with _told(file):
            opened = file.open("rb")
        with opened:
            yield iter(partial(opened.read, CHUNK_SIZE), b"")

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """Write a file, with the permissions that the umask leaves."""
        file = self._file(path)
        with _told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            _remove_leftovers(file.parent)
            with _temporary_name(file) as temporary:
                _write_durably(temporary, content)
                temporary.replace(file)
            _flush_directory(file.parent)

    def _file(self, path: str) -> Path:
        file = (self._root / check_path(path)).resolve()
        if not file.is_relative_to(self._root):
            raise InvalidInputError(f"path {path!r}", [f"a link leads out of {self._root}"])
        return file


@contextmanager
def _temporary_name(file: Path) -> Iterator[Path]:
    """Give a name beside ``file``; if something has it at the end, it is removed."""
    # Hidden, so that nothing lists or serves it, and short, since the file's own may be long.
    temporary = file.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _remove_leftovers(directory: Path) -> None:
    """Remove what copies have left that were killed, a day ago or longer."""
    for left in directory.glob(".*.part"):
        with suppress(FileNotFoundError):
            if _TEMPORARY.fullmatch(left.name) and time.time() - left.stat().st_mtime > _LEFT:
                left.unlink()


def _write_durably(file: Path, chunks: Iterable[bytes]) -> None:
    with file.open("xb") as opened:
        opened.writelines(chunks)
        opened.flush()
        os.fsync(opened.fileno())


def _flush_directory(directory: Path) -> None:
    """Make a rename outlast a crash, too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Tell an OSError as one of ours; a full or broken disk may be better next time."""
    try:
        yield
    except OSError as err:
        kind = _ERRORS.get(err.errno or 0, TransientError)
        raise kind(f"file://{file}: {err.strerror or err}", side=Side.TARGET) from err
