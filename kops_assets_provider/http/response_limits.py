"""
Limit how slow a response may be, and how much of it may be something else than its body.

A socket's timeout begins anew with each byte, so a byte a minute would keep a task for years, and
http.client reads any number of ``100 Continue`` and of trailers. Both are limited here, below
http.client and urllib3, so that head and body, chunked or not, are under the same two limits:

- Within ``stall_seconds`` of waiting there come ``MIN_BYTES`` of the body, or its end. Interim
  responses, the head, the lines between chunks and trailers are no body, so they extend nothing:
  the final head must be complete within ``stall_seconds`` of waiting. The time that the other side
  of a copy takes does not count.
- What is not body is short, or in proportion to the body.
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
        """Read the head, and the interim responses before it."""
        super().begin()
        # A server that was slow to begin has still all the time for the body.
        self._paced.start_again()

    def _read_status(self) -> tuple[str, int, str]:
        # http.client skips 100 alone, and would take 103 for the response (RFC 9110, section 15.2).
        while True:
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]  # private
            if not 100 <= found[1] < 200:
                return found
            http.client.parse_headers(self.fp)


class _Paced(io.RawIOBase):
    """
    Receives from a socket, and measures how fast the body comes.

    ``wanted`` is the number of bytes of the body that are being read: what arrives beyond them may
    be anything.
    """

    def __init__(self, raw: io.RawIOBase, sock: socket, stall_seconds: float) -> None:
        self._raw = raw
        # Its own reader does the same through another layer, for each piece of gigabytes.
        self._receive = sock.recv_into
        self._stall_seconds = stall_seconds
        self.wanted = 0
        self.start_again()

    def start_again(self) -> None:
        self._got, self._waited = 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        started = monotonic()
        got = self._receive(buffer)
        if self.wanted and self.add(min(got, self.wanted)):
            return got
        self._waited += monotonic() - started
        if got and self._waited > self._stall_seconds:
            raise TimeoutError(
                f"stalled: less than {MIN_BYTES} bytes in {self._stall_seconds:g} seconds"
            )
        return got

    def add(self, body: int) -> bool:
        """Count bytes of the body; return whether the time for the next ones begins anew."""
        self.wanted -= body
        self._got += body
        if self._got < MIN_BYTES:
            return False
        self.start_again()
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Framed(io.BufferedReader):
    """What http.client and urllib3 read from: framing by lines, the body by ``read``."""

    _left = MAX_FRAMING

    def __init__(self, paced: _Paced) -> None:
        super().__init__(paced)
        self._paced = paced

    def readline(self, size: int | None = -1, /) -> bytes:
        asked = MAX_FRAMING + 1 if size is None or size < 0 else size
        line = super().readline(asked)
        self._left -= len(line)
        if self._left < 0:
            raise http.client.HTTPException(f"more than {MAX_FRAMING} bytes that are no body")
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        self._paced.wanted = wanted = _length(size)
        return self._counted(super().read(size), wanted)

    def read1(self, size: int = -1, /) -> bytes:
        self._paced.wanted = wanted = _length(size)
        return self._counted(super().read1(size), wanted)

    def _counted(self, data: bytes, wanted: int) -> bytes:
        self._left = min(MAX_FRAMING, self._left + _FRAMING_PER_BYTE * len(data))
        # What had arrived before, together with lines, is known to be body only now.
        paced = self._paced
        paced.wanted = arrived_before = len(data) - wanted + paced.wanted
        if arrived_before:
            paced.add(arrived_before)
        return data


def _length(size: int | None) -> int:
    # We always ask for a number of bytes: only a chunk that says -1 would be read to its end.
    if size is None or size < 0:
        raise http.client.HTTPException("a chunk of negative length")
    return size
