"""
How slowly and how wordily a server may answer.

A socket's timeout begins anew with each byte, so a byte a minute would keep a task for years, and
http.client reads any number of ``100 Continue`` and of trailers. Both are looked at here, below
http.client and urllib3, so that head and body, chunked or not, are under the same two limits:

- Within ``stall_seconds`` of waiting there come ``MIN_BYTES`` or the end. Only the waiting for this
  server counts: the time that the other side of a copy takes is not its fault.
- What is not body (the head, the lines between chunks, trailers) is short, or in proportion.
"""

from __future__ import annotations

import http.client
import io
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socket import socket

    from _typeshed import WriteableBuffer

MIN_BYTES = 1 << 10
MAX_FRAMING = 256 << 10  # bytes; http.client itself allows 100 headers of 64 KiB each
_FRAMING_PER_BYTE = 16  # a chunk of a single byte has five of framing


class PacedResponse(http.client.HTTPResponse):
    """An ``HTTPResponse`` that raises TimeoutError or HTTPException for such an answer."""

    def __init__(self, sock: socket, *args: Any, stall_seconds: float, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._paced = _Paced(self.fp.detach(), sock, stall_seconds)
        self.fp = _Framed(self._paced)

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        # Whoever was slow to begin has still all the time for the body.
        self._paced.start_again()


class _Paced(io.RawIOBase):
    """What comes from a socket, and how fast."""

    def __init__(self, raw: io.RawIOBase, sock: socket, stall_seconds: float) -> None:
        self._raw = raw
        # Its own reader does the same through another layer, for each piece of gigabytes.
        self._receive = sock.recv_into
        self._stall_seconds = stall_seconds
        self.start_again()

    def start_again(self) -> None:
        self._got, self._waited = 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        started = monotonic()
        got = self._receive(buffer)
        self._got += got
        if self._got >= MIN_BYTES:
            self.start_again()
            return got
        self._waited += monotonic() - started
        if got and self._waited > self._stall_seconds:
            raise TimeoutError(
                f"stalled: less than {MIN_BYTES} bytes in {self._stall_seconds:g} seconds"
            )
        return got

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Framed(io.BufferedReader):
    """What http.client and urllib3 read from: framing by lines, the body by ``read``."""

    _left = MAX_FRAMING

    def readline(self, size: int | None = -1, /) -> bytes:
        asked = MAX_FRAMING + 1 if size is None or size < 0 else size
        line = super().readline(asked)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.HTTPException(f"more than {MAX_FRAMING} bytes that are no body")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1, /) -> bytes:
        return self._counted(super().read1(size))

    def _counted(self, data: bytes) -> bytes:
        self._left = min(MAX_FRAMING, self._left + _FRAMING_PER_BYTE * len(data))
        return data
