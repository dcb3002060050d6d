"""
The connections of a test server: sockets, TLS, HTTP's framing, and the playing of faults.

Every response passes :meth:`_Handler.serve`, which is the one place where faults are applied.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO, Protocol, cast

from tests.support.messages import (
    Fault,
    RecordedRequest,
    Request,
    RequestBody,
    Response,
    decoded_path,
)

_LOOK_SECONDS = 0.05


@dataclass(slots=True)
class Exchange:
    """A request on its way through the server."""

    request: Request
    status: int = 0
    sent_bytes: int = 0

    def record(self) -> RecordedRequest:
        return RecordedRequest(
            method=self.request.method,
            path=self.request.path,
            query=self.request.query,
            headers=dict(self.request.headers.items()),
            status=self.status,
            received_bytes=self.request.body.received_bytes,
            sent_bytes=self.sent_bytes,
            target=self.request.target,
        )


class Owner(Protocol):
    """The server that answers the requests."""

    stopping: threading.Event

    def take_fault(self, method: str, path: str, /) -> Fault:
        """Return the fault that this request meets."""
        ...

    def open_exchange(self, request: Request, /) -> Exchange:
        """Begin to record a request."""
        ...

    def close_exchange(self, exchange: Exchange, /) -> None:
        """Record the request and its answer."""
        ...

    def answer(self, request: Request, /) -> Response:
        """Return the answer to a request that meets no fault."""
        ...


class Listener(ThreadingHTTPServer):
    # Threads are joined on close: a test must not leave one behind.
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, owner: Owner, port: int, tls: ssl.SSLContext | None) -> None:
        self.owner = owner
        self._tls = tls
        self._connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own would look up the host's name, which can take seconds.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is not None:
            # The handshake happens at the first read, and so in the connection's own thread.
            request = self._tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        self._connections.add(request)
        try:
            # Looked at after the connection was noted: stop() either sees it there or is seen here.
            if not self.owner.stopping.is_set():
                super().finish_request(request, client_address)
        finally:
            self._connections.discard(request)
            if self._tls is not None:
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), (ConnectionError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        for connection in list(self._connections):
            try:
                # Not SSLSocket.shutdown, which takes the TLS state from under the reading thread.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def __getattr__(self, name: str) -> Any:
        # BaseHTTPRequestHandler looks for do_GET, do_PUT, ...: all methods are served alike.
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def serve(self) -> None:
        owner = self.server.owner
        fault = owner.take_fault(self.command, decoded_path(self.path))
        body = RequestBody(cast("BinaryIO", self.rfile), self.headers, fault.close_after_received)
        exchange = owner.open_exchange(Request(self.command, self.path, self.headers, body))
        try:
            self._respond(exchange, fault)
        except ConnectionError:
            self._drop(fault)
        finally:
            owner.close_exchange(exchange)

    def _respond(self, exchange: Exchange, fault: Fault) -> None:
        owner = self.server.owner
        owner.stopping.wait(fault.delay)
        if fault.close:
            raise ConnectionAbortedError("a fault dropped the connection")
        response = Response(fault.status) if fault.status else owner.answer(exchange.request)
        # An unread body would be taken for the next request.
        exchange.request.body.drain()
        if fault.lose_answer:
            raise ConnectionAbortedError("a fault lost the answer")
        exchange.status = response.status
        response = response.altered_by(fault)
        self._send_head(response, fault)
        if self.command != "HEAD":
            self._send_body(exchange, response, fault)
        if fault.hang_up or fault.changes_length:
            self.close_connection = True

    def _send_head(self, response: Response, fault: Fault) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not fault.changes_length and response.status not in {204, 304}:
            self.send_header("Content-Length", str(response.content_length))
        self.end_headers()

    def _send_body(self, exchange: Exchange, response: Response, fault: Fault) -> None:
        chunks = response.chunks()
        if fault.truncate_after is not None:
            chunks = _first_bytes(chunks, fault.truncate_after)
        if fault.stall_after is not None:
            chunks = self._stall(_first_bytes(chunks, fault.stall_after))
        if fault.drip is not None:
            chunks = self._drip(chunks, fault.drip)
        for chunk in chunks:
            # Counted before it is sent: who has the whole answer finds the count complete.
            exchange.sent_bytes += len(chunk)
            self.wfile.write(chunk)
        if fault.truncate_after is not None:
            raise ConnectionAbortedError("a fault truncated the answer")

    def _stall(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield from chunks
        with selectors.DefaultSelector() as selector:
            selector.register(self.connection, selectors.EVENT_READ)
            while not self.server.owner.stopping.wait(_LOOK_SECONDS):
                # Who has waited long enough goes away, and this thread is no longer needed.
                if selector.select(0):
                    break
        raise ConnectionAbortedError("a fault let the answer stall")

    def _drip(self, chunks: Iterator[bytes], seconds: float) -> Iterator[bytes]:
        for chunk in chunks:
            for byte in chunk:
                yield bytes([byte])
                if self.server.owner.stopping.wait(seconds):
                    return

    def _drop(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.reset:
            lingering_no_time = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering_no_time)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the server has its own record."""


def _first_bytes(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            return
