"""Bytes on their way from one server to another, hashed as they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import ChecksumMismatchError, Side

if TYPE_CHECKING:
    from hashlib import _Hash

OnChunk = Callable[[int], None]


def verified(
    chunks: Iterable[bytes],
    *,
    what: str,
    size: int,
    hasher: _Hash,
    expected: str,
    on_chunk: OnChunk | None = None,
) -> Iterator[bytes]:
    """
    Yield ``chunks``, the last of them only once all are known to be right.

    The last chunk is held back so that an upload of wrong bytes ends early: the receiver has then
    got less than the length that was announced, and stores nothing even if it checks nothing
    itself.

    :param what: names the content in the error's message.
    :param size: bytes that there must be.
    :param expected: hex digits that ``hasher`` must arrive at.
    :param on_chunk: told the number of bytes of each chunk; what it raises ends the copy.
    :raises ChecksumMismatchError: more or fewer bytes, or other ones; the source is to blame.
    """
    held, seen = b"", 0
    # An empty chunk at the end would release the held one before the hash is compared.
    for chunk in filter(None, chunks):
        seen += len(chunk)
        if seen > size:
            raise _mismatch(what, f"{size} bytes", "more")
        hasher.update(chunk)
        if on_chunk:
            on_chunk(len(chunk))
        if held:
            yield held
        held = chunk
    if seen != size:
        raise _mismatch(what, f"{size} bytes", str(seen))
    if hasher.hexdigest() != expected:
        actual = hasher.hexdigest() if seen else "an empty answer"
        raise _mismatch(what, f"{hasher.name} {expected}", actual)
    if held:
        yield held


def started(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Wait for the first chunk, and return an iterator over all of them.

    An upload of no bytes is complete as soon as its headers are sent, so its headers must not be
    sent before ``chunks`` could raise.
    """
    rest = iter(chunks)
    return chain([next(rest, b"")], rest)


class Upload:
    """
    The chunks of a request's body, to be iterated over once.

    A server may answer before it has read all of them. Then the last chunk was never checked.

    :ivar is_sent: the last chunk was taken, so all of them are known to be right.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = started(chunks)
        self.is_sent = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks."""
        yield from self._chunks
        self.is_sent = True


def without_first(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Leave out the first ``count`` bytes."""
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:] if count else chunk
        count = max(0, count - len(chunk))


def _mismatch(what: str, expected: str, actual: str) -> ChecksumMismatchError:
    message = f"{what}: expected {expected}, got {actual}; nothing was stored"
    return ChecksumMismatchError(message, side=Side.SOURCE)
