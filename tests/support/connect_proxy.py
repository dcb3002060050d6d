"""
A CONNECT proxy in this process (RFC 9110, section 9.3.6), which alone knows where names lead.

A test gives it names that no resolver has: what is reached came through it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.running_proxy import ProxyServer, RunningProxy


class ConnectProxy(RunningProxy):
    """
    A proxy that runs inside a ``with`` block.

    ``tunnels`` has what was asked for, ``host:port`` each, and ``headers`` what came with it.

    :param routes: a name, and the ``host:port`` that stands behind it; others are refused.
    """

    def __init__(self, routes: Mapping[str, str]) -> None:
        self.routes = dict(routes)
        self.tunnels: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._server = _Server(self, _Handler)

    @property
    def url(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Server(ProxyServer, ThreadingHTTPServer):
    owner: ConnectProxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        owner = self.server.owner
        owner.tunnels.append(self.path)
        owner.headers.append(dict(self.headers.items()))
        place = owner.routes.get(self.path.rpartition(":")[0])
        if place is None:
            self.send_error(502)
            return
        host, _, port = place.rpartition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            self._tunnel(there)
        self.close_connection = True

    def _tunnel(self, there: socket.socket) -> None:
        pair = {self.connection, there}
        self.server.sockets |= pair
        answers = threading.Thread(target=_pump, args=(there, self.connection))
        answers.start()
        _pump(self.connection, there)
        answers.join()
        self.server.sockets -= pair

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: the proxy has its own record."""


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
