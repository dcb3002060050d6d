"""
A small threaded HTTP/1.1 server on loopback: the base of our fake registry and file server.

It keeps a record of every request, so that a test can assert on what went over the wire, and it
plays faults (:class:`Fault`). Bodies are streamed in both directions.
"""

from __future__ import annotations

import re
import ssl
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.access_log import AccessLog
from tests.support.http_connections import Exchange, Listener
from tests.support.messages import (
    NO_FAULT,
    Fault,
    RecordedRequest,
    Request,
    Response,
)

__all__ = ["Fault", "HttpServer", "RecordedRequest", "Request", "Response"]

ANSWER_IN_SECONDS = 0.02


@dataclass(slots=True)
class _ArmedFault:
    fault: Fault
    seen: int = 0

    def plays(self, method: str, path: str) -> bool:
        """Count the request if it matches, and tell whether it is hit."""
        if not self.fault.matches(method, path):
            return False
        self.seen += 1
        turn = self.seen - self.fault.skip
        return turn > 0 and (self.fault.times is None or turn <= self.fault.times)


class HttpServer(ABC):
    """
    A server that runs inside a ``with`` block; subclasses say what it answers.

    :param port: 0 takes a free one.
    :param certificate: PEM file with the certificate chain; given, the server speaks TLS.
    :param key: PEM file with the certificate's private key.
    :param access_log: file that gets a line per request (Combined Log Format).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        certificate: Path | str | None = None,
        key: Path | str | None = None,
        access_log: Path | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._port = port
        self._tls = certificate and _tls_context(certificate, key)
        self._access_log = access_log and AccessLog(access_log)
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._faults: list[_ArmedFault] = []
        self._listener: Listener | None = None

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """Return the response to a request; called by many threads at once."""

    @property
    def host(self) -> str:
        """``127.0.0.1:port``, while the server runs."""
        if self._listener is None:
            raise RuntimeError("the server runs only inside its with block")
        return f"127.0.0.1:{self._listener.server_port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port`` (or https), without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, in the order of their arrival, those under way included."""
        with self._lock:
            return [exchange.record() for exchange in self._exchanges]

    def count(self, method: str | None = None, path_regex: str | None = None) -> int:
        """Count the requests with that method and a path in which the pattern is found."""
        wanted = Fault(method=method, path=path_regex or "")
        return sum(wanted.matches(request.method, request.path) for request in self.requests)

    def clear(self) -> None:
        """Forget the requests so far, and disarm all faults."""
        with self._lock:
            self._exchanges.clear()
            self._faults.clear()

    def clear_faults(self) -> None:
        """Disarm all faults."""
        with self._lock:
            self._faults.clear()

    def inject(self, fault: Fault) -> None:
        """Arm a fault. Of several that match a request, the one injected first plays."""
        re.compile(fault.path)
        with self._lock:
            self._faults.append(_ArmedFault(fault))

    def take_fault(self, method: str, path: str) -> Fault:
        """Return the fault that hits this request, or :data:`NO_FAULT`."""
        with self._lock:
            return next((a.fault for a in self._faults if a.plays(method, path)), NO_FAULT)

    def open_exchange(self, request: Request) -> Exchange:
        """Record a request that has just arrived."""
        exchange = Exchange(request)
        with self._lock:
            self._exchanges.append(exchange)
        return exchange

    def close_exchange(self, exchange: Exchange) -> None:
        """Note in the access log how a request ended."""
        if self._access_log:
            self._access_log.write(exchange.record())

    def start(self) -> None:
        """Listen and serve until :meth:`stop`."""
        self.stopping.clear()
        self._listener = Listener(self, self._port, self._tls or None)
        threading.Thread(
            target=self._listener.serve_forever, args=(ANSWER_IN_SECONDS,), daemon=True
        ).start()

    def stop(self) -> None:
        """Stop listening, drop all connections, and wait for their threads."""
        if self._listener is not None:
            self.stopping.set()
            self._listener.stop()
            self._listener = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _tls_context(certificate: Path | str, key: Path | str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
