"""
Open local files that somebody else may have put in place.

To open a FIFO waits for its writer, and a device has no end. So a file is opened without waiting,
and what was opened is looked at, not the path: that may lead elsewhere a moment later.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO

MAX_DOCUMENT = 16 << 20  # bytes of a document that is read as a whole
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link that leads nowhere",
}
_PIPES = {stat.S_IFIFO, stat.S_IFCHR}


class IrregularFileError(OSError):
    """A path leads to a pipe, a socket, a device or a directory instead of a regular file."""


def check_regular(path: str | os.PathLike[str], mode: int) -> None:
    """Raise IrregularFileError unless ``mode``, a ``st_mode``, is that of a regular file."""
    kind = stat.S_IFMT(mode)
    if kind != stat.S_IFREG:
        what = _KINDS.get(kind, "something else")
        raise IrregularFileError(errno.EINVAL, f"it is {what}, not a regular file", str(path))


def open_regular(
    path: str | os.PathLike[str], *, follow: bool = True, pipes: bool = False
) -> BinaryIO:
    """
    Open a regular file for reading, without ever waiting for one that is something else.

    :param follow: open what a symbolic link at the end of the path leads to.
    :param pipes: open pipes and character devices too, and wait for their writers: for a path that
        a user has typed, such as ``/dev/stdin`` or a shell's ``<(…)``.
    :raises IrregularFileError: the path leads to something else.
    :raises OSError: it cannot be opened.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY
    flags |= 0 if pipes else os.O_NONBLOCK
    flags |= 0 if follow else os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags)
    except OSError as err:
        if err.errno == errno.ENXIO:
            problem = "it is a socket or a device, not a regular file"
            raise IrregularFileError(errno.EINVAL, problem, str(path)) from err
        raise
    except ValueError as err:  # NUL, or a lone surrogate
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from err
    try:
        mode = os.fstat(descriptor).st_mode
        if not (pipes and stat.S_IFMT(mode) in _PIPES):
            check_regular(path, mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_document(path: str | os.PathLike[str], *, pipes: bool = False) -> bytes:
    """
    Return a file's bytes, at most 16 MiB; the parameters and errors are those of ``open_regular``.

    :raises OSError: also if it is longer.
    """
    with open_regular(path, pipes=pipes) as opened:
        return read_within(opened, str(path))


def read_within(opened: BinaryIO, where: str) -> bytes:
    """Return the rest of an open file, at most 16 MiB; raises OSError if it is longer."""
    data = opened.read(MAX_DOCUMENT + 1)
    if len(data) > MAX_DOCUMENT:
        raise OSError(errno.EFBIG, f"it is longer than {MAX_DOCUMENT} bytes", where)
    return data
