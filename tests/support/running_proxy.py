"""How a proxy of the tests starts, and how it ends with all its connections."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self


class ProxyServer(socketserver.ThreadingTCPServer):
    """A server on 127.0.0.1 that knows its proxy (``owner``) and the ``sockets`` it has open."""

    # Threads are joined on close: a test must not leave one behind.
    daemon_threads = False

    def __init__(self, owner: Any, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.owner = owner
        self.sockets: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Write nothing: either end may go away."""


class RunningProxy:
    """A proxy that runs inside a ``with`` block."""

    _server: ProxyServer

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        for each in list(self._server.sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
