"""What passes from a source to a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from kops_assets_provider.http.hashing import OnChunk, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """
    The bytes of a file, to be iterated over once.

    Whoever got the last chunk has got the right file: ``ChecksumMismatchError`` is raised before
    that one is given out, if the bytes are not ``size`` many or not those of ``sha``.

    :param name: where they come from, for messages.
    :param size: in bytes.
    :param sha: SHA-256, bare hex.
    :param on_chunk: told the number of bytes of each chunk; may raise to end the copy.
    """

    name: str
    chunks: Iterable[bytes]
    size: int
    sha: str
    on_chunk: OnChunk | None = None

    @classmethod
    def of(cls, name: str, raw: bytes) -> Self:
        """Return the content that ``raw`` is."""
        return cls(name=name, chunks=[raw], size=len(raw), sha=hashlib.sha256(raw).hexdigest())

    def __iter__(self) -> Iterator[bytes]:
        return verified(
            self.chunks,
            what=self.name,
            size=self.size,
            hasher=hashlib.sha256(),
            expected=self.sha,
            on_chunk=self.on_chunk,
        )
