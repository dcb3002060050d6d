"""What goes over the wire of a test server: requests, responses, and the faults put between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote, urlsplit

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """
    One request that a server received.

    ``path`` is percent-decoded and without query, ``target`` is the raw request target, ``status``
    is 0 until an answer begins (and stays 0 when none was given), and the byte counts are of
    bodies alone. A record that was read back from an access log knows no headers.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    Something that goes wrong on purpose with the requests that match.

    A fault matches a ``method`` (None: any) and a regular expression that is searched in the
    decoded ``path``. It lets ``skip`` matching requests pass and then plays ``times`` times (None:
    always). ``status`` answers in the server's place, with ``headers`` and ``body``; without
    ``status`` the server does its work, and ``headers`` (None removes one) and ``body`` replace
    what it would have sent. Times are in seconds.
    """

    method: str | None = None
    path: str = ""
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    """Wait before doing anything."""
    close: bool = False
    """Drop the connection without reading the body, doing the work, or answering."""
    close_after_received: int | None = None
    """Drop the connection once that many bytes of the request's body were taken in."""
    lose_answer: bool = False
    """Do the work, then drop the connection instead of answering."""
    truncate_after: int | None = None
    """Drop the connection once that many bytes of the response's body were sent."""
    stall_after: int | None = None
    """Fall silent once that many bytes of the response's body were sent, and stay so."""
    drip: float | None = None
    """Send the response's body byte by byte, this long apart."""
    hang_up: bool = False
    """Close the connection after the answer without having announced it."""
    reset: bool = False
    """Drop connections by RST, which also throws away what is still under way, and not by FIN."""

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one that this fault is meant for."""
        return self.method in {None, method} and re.search(self.path, path) is not None

    @property
    def changes_length(self) -> bool:
        """Whether the response announces another length than it has, or none."""
        return any(name.lower() == "content-length" for name in self.headers)


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. ``length`` in bytes must be given when ``body`` is not bytes."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    length: int | None = None

    @property
    def content_length(self) -> int:
        """The number of bytes in the body."""
        if isinstance(self.body, bytes):
            return len(self.body)
        if self.length is None:
            raise ValueError("a streamed response needs its length")
        return self.length

    def chunks(self) -> Iterator[bytes]:
        """Yield the body in pieces."""
        if isinstance(self.body, bytes):
            yield self.body
        else:
            yield from self.body

    def altered_by(self, fault: Fault) -> Response:
        """Return the response that goes out when the fault has had its way."""
        changed = {name.lower() for name in fault.headers}
        headers = {name: v for name, v in self.headers.items() if name.lower() not in changed}
        headers.update({name: v for name, v in fault.headers.items() if v is not None})
        if fault.body is None:
            return replace(self, headers=headers)
        return replace(self, headers=headers, body=fault.body, length=None)


class RequestBody:
    """
    The body of a request, to be iterated over once, in chunks as they come in.

    :param stream: the connection's buffered reader.
    :param headers: they say how the body is framed: by length, by chunks, or not there.
    :param limit: bytes after which the connection is dropped (see ``close_after_received``).
    """

    def __init__(self, stream: BinaryIO, headers: Message, limit: int | None = None) -> None:
        self.received_bytes = 0
        self._stream = stream
        self._limit = limit
        self._chunks = self._read_body(headers)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.received_bytes += len(chunk)
            yield chunk
            if self._limit is not None and self.received_bytes >= self._limit:
                raise ConnectionAbortedError("a fault dropped the connection")

    def read(self) -> bytes:
        """Return what is left of the body, at once."""
        return b"".join(self)

    def drain(self) -> None:
        """Take in what is left of the body, and forget it."""
        for _ in self:
            pass

    def _read_body(self, headers: Message) -> Iterator[bytes]:
        if "chunked" in headers.get("Transfer-Encoding", "").lower():
            yield from self._read_chunked()
        else:
            yield from self._read_exactly(int(headers.get("Content-Length", 0)))

    def _read_exactly(self, size: int) -> Iterator[bytes]:
        while size:
            # read1 hands over what is there: an upload that stalls has still arrived so far.
            piece = self._stream.read1(min(size, CHUNK_BYTES))  # type: ignore[attr-defined]
            if not piece:
                raise ConnectionResetError("the client went away in the middle of a body")
            size -= len(piece)
            yield piece

    def _read_chunked(self) -> Iterator[bytes]:
        """Decode chunked transfer coding (RFC 9112, section 7.1)."""
        while size := int(self._stream.readline().split(b";")[0] or b"0", 16):
            yield from self._read_exactly(size)
            self._stream.readline()
        while self._stream.readline().strip():
            pass


@dataclass(frozen=True, slots=True)
class Request:
    """A request under way. ``path`` is percent-decoded; ``headers`` ignore upper and lower case."""

    method: str
    target: str
    headers: Message
    body: RequestBody

    @property
    def path(self) -> str:
        """The decoded path, without query."""
        return decoded_path(self.target)

    @property
    def query(self) -> str:
        """The raw query."""
        return urlsplit(self.target).query

    @property
    def params(self) -> dict[str, str]:
        """The decoded query, the last of equal names winning."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


def decoded_path(target: str) -> str:
    """Return the percent-decoded path of a request target, be it a path or a whole URL."""
    # urlsplit alone would take the first segment of "//etc/passwd" for a host.
    path = target.partition("?")[0] if target.startswith("/") else urlsplit(target).path
    return unquote(path)
