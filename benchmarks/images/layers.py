"""Layers of any size, in little memory: a gzipped tar of one file that cannot be compressed."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from benchmarks.images.image_set import Layer
from benchmarks.measuring.content import incompressible


@dataclass(frozen=True, slots=True)
class WrittenBlob:
    """What was written: its digest and size, and for a layer the digest of the tar in it."""

    digest: str
    size: int
    diff_id: str = ""


class _HashingFile(io.RawIOBase):
    """Passes bytes on to a file, and knows their digest and number."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:  # type: ignore[override]  # gzip writes bytes alone
        self._hash.update(data)
        self._file.write(data)
        self.size += len(data)
        return len(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def write_layer(layer: Layer, file: IO[bytes]) -> WrittenBlob:
    """Write a layer: the same bytes for the same name and size."""
    output = _HashingFile(file)
    diff_id = hashlib.sha256()
    # Level 0: to compress what cannot be compressed would only take time.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=output, mtime=0) as zipped:
        for chunk in _tar(layer):
            diff_id.update(chunk)
            zipped.write(chunk)
    return WrittenBlob(output.digest, output.size, f"sha256:{diff_id.hexdigest()}")


def _tar(layer: Layer) -> Iterator[bytes]:
    entry = tarfile.TarInfo(layer.name.replace("/", "-"))
    entry.size = layer.size
    yield entry.tobuf()
    yield from incompressible(layer.name, layer.size)
    # Up to a whole block, and two empty ones as the end.
    yield bytes(-layer.size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)
