"""
Files in a directory, where a web server or a shared file system makes them available.

A file is written under a temporary name beside its own, flushed to the disk, and renamed: readers
see the old file or the new one, whatever happens. Only regular files are opened or replaced.

A killed copy leaves its temporary file. The next write into that directory removes it if nobody
holds its lock and it got its last byte a day ago, by the file system's own clock. Several hosts may
share a directory, whose clocks differ, and locks may not reach from one to the other: so neither
our clock nor a lock alone decides.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

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
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.store_paths import check_path
from kops_assets_provider.http.pools import CHUNK_SIZE
from kops_assets_provider.regular_files import IrregularFileError, check_regular, open_regular

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
    errno.ELOOP: UnsupportedTargetError,
    errno.ENAMETOOLONG: UnsupportedTargetError,
}


class DirectoryStore:
    """
    A ``FileStore``: the files below ``root``, which is made if it is not there.

    It keeps no hashes, so that verifying a file means reading it. A symbolic link is followed as
    long as it stays below ``root``. What another process wrote meanwhile is replaced.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(os.path.realpath(root))

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
                status = file.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if stat.S_ISDIR(status.st_mode):
                return None
            check_regular(file, status.st_mode)
            return StoredFile(size=status.st_size)

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the file back."""
        file = self._file(path)
        with _told(file):
            opened = open_regular(file, follow=False)
        with opened:
            yield iter(partial(opened.read, CHUNK_SIZE), b"")

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """Write a file, with the permissions that the umask leaves."""
        file = self._file(path)
        with _told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                check_regular(file, file.lstat().st_mode)
            with _temporary_file(file.parent) as (temporary, opened):
                _remove_leftovers(file.parent, os.fstat(opened.fileno()).st_mtime)
                _write_durably(opened, content)
                temporary.replace(file)
            _flush_directory(file.parent)

    def _file(self, path: str) -> Path:
        file = Path(os.path.realpath(self._root / check_path(path)))
        if not file.is_relative_to(self._root):
            raise InvalidInputError(f"path {path!r}", [f"a link leads out of {self._root}"])
        if _TEMPORARY.fullmatch(file.name):
            problem = "a name of this form is a temporary file's, which is removed some day"
            raise InvalidInputError(f"path {path!r}", [problem])
        return file


@contextmanager
def _temporary_file(directory: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a file and hold its lock; if it still has its name at the end, it is removed."""
    # Hidden, so that nothing lists or serves it, and short, since the file's own may be long.
    temporary = directory / f".{secrets.token_hex(8)}.part"
    with temporary.open("xb") as opened:
        try:
            # Some shared file systems know no locks. There the time of the last byte protects it.
            with suppress(OSError):
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield temporary, opened
        finally:
            temporary.unlink(missing_ok=True)


def _remove_leftovers(directory: Path, now: float) -> None:
    """
    Remove the temporary files of copies that were killed.

    :param now: the time by the file system's clock, in seconds: when a file was just made there.
    """
    for left in directory.glob(".*.part"):
        # What cannot be removed, or is another user's, is left: it is no reason to fail a copy.
        with suppress(OSError):
            status = left.lstat()
            is_ours = _TEMPORARY.fullmatch(left.name) and stat.S_ISREG(status.st_mode)
            if is_ours and now - status.st_mtime > _LEFT:
                _remove_unlocked(left)


def _remove_unlocked(left: Path) -> None:
    """Remove a file unless a copy holds its lock; raises OSError."""
    # NFS locks exclusively only what is open for writing.
    descriptor = os.open(left, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.unlink()
    finally:
        os.close(descriptor)


def _write_durably(opened: BinaryIO, chunks: Iterable[bytes]) -> None:
    opened.writelines(chunks)
    opened.flush()
    os.fsync(opened.fileno())


def _flush_directory(directory: Path) -> None:
    """Make a rename outlast a crash, too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as err:
        # Some file systems cannot flush a directory, and say so by EINVAL: github.com/facebook/
        # rocksdb/pull/2929 and github.com/microsoft/WSL/issues/2557. All other errors count.
        if err.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Tell an OSError as one of ours; a full or broken disk may be better next time."""
    try:
        yield
    except IrregularFileError as err:
        message = f"file://{file}: {err.strerror}; remove it, or write elsewhere"
        raise UnsupportedTargetError(message, side=Side.TARGET) from err
    except OSError as err:
        kind = _ERRORS.get(err.errno or 0, TransientError)
        raise kind(f"file://{file}: {err.strerror or err}", side=Side.TARGET) from err
