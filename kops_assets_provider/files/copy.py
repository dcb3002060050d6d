"""Copy a file: the file first, its side-car second, and neither if it is right already."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

from kops_assets_provider.exceptions import (
    KopsAssetsError,
    Side,
    TransientError,
    UntrustedServerError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import FileSource, FileStore, SourceFile
from kops_assets_provider.files.verify import SIDECAR, Look, Presence, check_sha, verify_file
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.pools import CHUNK_SIZE
from kops_assets_provider.http.urls import redact
from kops_assets_provider.logs import get_logger

log = get_logger(__name__)

_MAX_SPOOL = 5 << 30  # bytes; what a store takes at most is what it makes sense to put aside


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedFile:
    """
    What became of a file.

    ``copied`` and ``sidecar_written`` are False for what was right already. ``size`` is that of the
    file, ``uploaded`` counts the bytes sent to the store, the side-car's included. ``version`` is
    that of a file that was right already, as its store knows it.
    """

    sha: str
    size: int
    copied: bool
    sidecar_written: bool
    uploaded: int
    version: str | None = None


def copy_file(
    source: FileSource,
    urls: Sequence[str],
    store: FileStore,
    path: str,
    sha: str,
    *,
    deep: bool = False,
    on_chunk: OnChunk | None = None,
    on_stored: OnChunk = lambda _: None,
) -> CopiedFile:
    """
    Copy a file to ``path`` of ``store``, and its hash to ``<path>.sha256`` beside it.

    The hash is written as kOps writes it, bare and without newline (``transferFile`` in
    ``pkg/assets/copyfile.go``, v1.36.2). It follows the file: where it is, the file is complete.

    :param urls: where the file is, in the order in which it is looked for there.
    :param sha: the SHA-256 that the file must have, from wherever: 64 lower-case hex digits.
    :param deep: read what is there, whatever its store says of it.
    :param on_chunk: told the bytes of each chunk on its way to the store; may raise to end the
        copy. It is told 0 while a file of unknown size is put aside on disk.
    :param on_stored: called with the bytes of each object that the store has taken whole, the file
        and its side-car: a copy that fails between them has sent the file.
    :raises InvalidInputError: ``sha`` or ``path`` is none.
    :raises ChecksumMismatchError: the sources have other bytes, or the store received others.
    :raises PermanentError: retrying cannot help: see its kind and side.
    :raises TransientError: a later try may succeed.
    """
    name = redact(urls[0])
    check_sha(name, sha)
    state = verify_file(store, path, sha, look=Look(deep=deep, on_read=on_chunk))
    copied, size, uploaded = state.file is not Presence.RIGHT, state.size or 0, 0
    if copied:
        target = partial(store.write, path, new=state.file is Presence.ABSENT)
        uploaded = size = _from_any(urls, partial(_copy, source, target, sha, on_chunk))
        on_stored(size)
    if not state.sidecar:
        sidecar = Content.of(f"the hash of {name}", sha.encode())
        store.write(path + SIDECAR, sidecar)
        on_stored(sidecar.size)
        uploaded += sidecar.size
    version = None if copied else state.version
    return CopiedFile(
        sha=sha,
        size=size,
        copied=copied,
        sidecar_written=not state.sidecar,
        uploaded=uploaded,
        version=version,
    )


def _copy(
    source: FileSource,
    target: Callable[[Content], None],
    sha: str,
    on_chunk: OnChunk | None,
    url: str,
) -> int:
    """Copy the file's bytes, and return how many they are."""
    name = redact(url)
    with source.open(url) as opened, _sized(opened, name, on_chunk) as (chunks, size):
        target(Content(name=name, chunks=chunks, size=size, sha=sha, on_chunk=on_chunk))
        return size


def _from_any(urls: Sequence[str], copy: Callable[[str], int]) -> int:
    """Return what the first source gives that has the file; the error names all that have not."""
    failures: list[KopsAssetsError] = []
    for url in urls:
        try:
            return copy(url)
        except KopsAssetsError as err:
            if err.side is not Side.SOURCE:
                raise
            failures.append(err)
            if url != urls[-1]:
                log.warning("%s; trying the next source", err)
    if len(failures) == 1:
        raise failures[0]
    # One source that may recover is reason enough to come back.
    passing = [x for x in failures if isinstance(x, TransientError)]
    first = (passing or failures)[0]
    others = "; ".join(str(x).removeprefix("source ") for x in failures if x is not first)
    first.args = (f"{first}; and {others}",)
    raise first


@contextmanager
def _sized(
    opened: SourceFile, name: str, on_chunk: OnChunk | None
) -> Iterator[tuple[Iterable[bytes], int]]:
    """Give the chunks and their size, which no store can do without."""
    if opened.size is not None:
        yield opened.chunks, opened.size
        return
    with tempfile.TemporaryFile() as spool:
        size = _spool(opened.chunks, spool, name, on_chunk)
        spool.seek(0)
        yield iter(partial(spool.read, CHUNK_SIZE), b""), size


def _spool(chunks: Iterable[bytes], spool: IO[bytes], name: str, on_chunk: OnChunk | None) -> int:
    size = 0
    for chunk in chunks:
        if on_chunk:
            on_chunk(0)
        size += len(chunk)
        if size > _MAX_SPOOL:
            message = f"{name}: no Content-Length, and more than {_MAX_SPOOL} bytes"
            raise UntrustedServerError(message, side=Side.SOURCE)
        try:
            spool.write(chunk)
        except OSError as err:
            message = f"{name}: no Content-Length, and it cannot be put aside on disk: {err}"
            raise TransientError(message) from err
    return size
