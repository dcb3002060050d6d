"""
Read a blob, hash it while it is transferred, and resume it after a broken connection.

The source may break off: reading goes on by ``Range`` from the byte that is wanted next, none is
read twice. The target may break off as well: then the upload goes on from where the target says it
is, and the hash from its state there, which is kept for the last chunks: those that were on their
way and did not arrive.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    Side,
    TransientError,
)
from kops_assets_provider.http.hashing import OnChunk, without_first
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.ports import ImageSource

if TYPE_CHECKING:
    from hashlib import _Hash

_PROGRESS = 1 << 20  # bytes between two failures that make the later one a first one
_STATES = 32  # chunks of at most 1 MiB; more cannot be on its way in a connection's buffers


class BlobReader:
    """
    Reads one blob for one upload.

    :param on_chunk: told the number of bytes of each chunk; what it raises ends the copy.
    """

    def __init__(
        self, source: ImageSource, blob: Descriptor, retries: Retries, on_chunk: OnChunk
    ) -> None:
        self._source = source
        self._blob = blob
        self._retries = retries
        self._on_chunk = on_chunk
        self._states: deque[tuple[int, _Hash]] = deque(maxlen=_STATES)

    @contextmanager
    def open(self, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """
        Give the bytes from ``offset`` on, the last of them only once all are known to be right.

        :raises ChecksumMismatchError: they are not those of the blob; while they are read.
        :raises TransientError: the source broke off too often.
        """
        start, hasher = self._state_at(offset)
        chunks = self._checked(start, hasher)
        try:
            yield without_first(chunks, offset - start)
        finally:
            chunks.close()

    def _state_at(self, offset: int) -> tuple[int, _Hash]:
        """Return the last state at or before ``offset``: the start is always one."""
        known = [(at, hasher) for at, hasher in self._states if at <= offset]
        at, hasher = max(known, key=lambda x: x[0]) if known else (0, self._blob.digest.hasher())
        return at, hasher.copy()

    def _checked(self, start: int, hasher: _Hash) -> Generator[bytes]:
        position, held = start, b""
        for chunk in filter(None, self._unbroken(start)):
            position += len(chunk)
            if position > self._blob.size:
                raise self._mismatch(f"{self._blob.size} bytes", "more")
            hasher.update(chunk)
            self._states.append((position, hasher.copy()))
            self._on_chunk(len(chunk))
            # Held back, so that an upload of wrong bytes ends before it is complete.
            if held:
                yield held
            held = chunk
        if position != self._blob.size:
            raise self._mismatch(f"{self._blob.size} bytes", str(position))
        if hasher.hexdigest() != self._blob.digest.hex:
            raise self._mismatch(self._blob.digest, f"{hasher.name}:{hasher.hexdigest()}")
        yield held

    def _unbroken(self, position: int) -> Iterator[bytes]:
        """Yield the source's bytes, however often it breaks off between them."""
        failures, began = 0, position
        while True:
            try:
                with self._source.open_blob(self._blob, position) as chunks:
                    for chunk in chunks:
                        position += len(chunk)
                        yield chunk
            except TransientError as err:
                # All is there, and only the end was not told: there is no byte to ask for.
                if position >= self._blob.size > 0:
                    return
                # A source that gives a little each time is as broken as one that gives nothing.
                failures = 1 if position - began >= _PROGRESS else failures + 1
                began = position
                if failures >= self._retries.attempts:
                    raise
                self._retries.pause(failures, err)
            else:
                return

    def _mismatch(self, expected: str, actual: str) -> ChecksumMismatchError:
        message = f"blob {self._blob.digest}: expected {expected}, got {actual}"
        return ChecksumMismatchError(f"{message}; nothing was stored", side=Side.SOURCE)
