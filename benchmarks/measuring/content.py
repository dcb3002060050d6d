"""Bytes to be copied: the same each time, and none that could be compressed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

_CHUNK = 1024 * 1024


def incompressible(name: str, size: int) -> Iterator[bytes]:
    """Yield ``size`` bytes in chunks, the same for the same name."""
    for start in range(0, size, _CHUNK):
        seed = f"{name}/{start}".encode()
        yield hashlib.shake_128(seed).digest(min(_CHUNK, size - start))
