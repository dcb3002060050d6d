"""Copy a file: the file first, its side-car second, and neither if it is right already."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO

from kops_assets_provider.exceptions import Side, TransientError, UntrustedServerError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import FileSource, FileStore, SourceFile
from kops_assets_provider.files.verify import SIDECAR, Presence, check_sha, verify_file
from kops_assets_provider.http.pools import CHUNK_SIZE
from kops_assets_provider.http.urls import redact
from kops_assets_provider.http.verify import OnChunk

_MAX_SPOOL = 5 << 30  # bytes; what a store takes at most is what it makes sense to put aside


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """
    What became of a file.

    ``copied`` and ``sidecar_written`` are False for what was right already. ``size`` is that of the
    file, ``uploaded`` counts the bytes sent to the store, the side-car's included.
    """

    sha: str
    size: int
    copied: bool
    sidecar_written: bool
    uploaded: int


def copy_file(
    source: FileSource,
    url: str,
    store: FileStore,
    path: str,
    sha: str,
    *,
    on_chunk: OnChunk | None = None,
) -> CopiedFile:
    """
    Copy the file at ``url`` to ``path`` of ``store``, and its hash to ``<path>.sha256`` beside it.

    The hash is written as kOps writes it, bare and without newline (``transferFile`` in
    ``pkg/assets/copyfile.go``, v1.36.2). It follows the file: where it is, the file is complete.

    :param sha: the SHA-256 that the file must have: 64 lower-case hex digits.
    :param on_chunk: told the bytes of each chunk on its way to the store; may raise to end the
        copy. It is told 0 while a file of unknown size is put aside on disk.
    :raises InvalidInputError: ``sha`` or ``path`` is none.
    :raises ChecksumMismatchError: the source has other bytes, or the store received others.
    :raises PermanentError: retrying cannot help: see its kind and side.
    :raises TransientError: a later try may succeed.
    """
    check_sha(redact(url), sha)
    state = verify_file(store, path, sha)
    size, uploaded = state.size or 0, 0
    if state.file is not Presence.RIGHT:
        with source.open(url) as opened, _sized(opened, redact(url), on_chunk) as (chunks, size):
            content = Content(redact(url), chunks, size, sha, on_chunk)
            store.write(path, content, new=state.file is Presence.ABSENT)
        uploaded += size
    if not state.sidecar:
        sidecar = Content.of(f"the hash of {redact(url)}", sha.encode())
        store.write(path + SIDECAR, sidecar)
        uploaded += sidecar.size
    return CopiedFile(sha, size, state.file is not Presence.RIGHT, not state.sidecar, uploaded)


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
