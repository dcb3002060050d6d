"""
A TCP proxy in this process, which sees each byte on its way and can cut connections at any of them.

It knows nothing of HTTP, so it stands before real servers as well as before ours.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.support.running_proxy import ProxyServer, RunningProxy

Watch = Callable[[bytes, bool], int | None]
"""Told a piece and whether the client sent it; how much of it passes before the cut, or None."""


class TcpProxy(RunningProxy):
    """
    A proxy that runs inside a ``with`` block.

    :param port: where the server listens, on 127.0.0.1.
    :param watch: called for each piece, for one at a time.
    :param on_cut: called when a piece has passed as far as it should, before its connection ends.
    """

    def __init__(self, port: int, watch: Watch, on_cut: Callable[[], None] | None = None) -> None:
        self.port = port
        self.watch = watch
        self.on_cut = on_cut
        self._lock = threading.Lock()
        self._server = _Server(self, _Handler)

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def pump(self, source: socket.socket, target: socket.socket, *, from_client: bool) -> None:
        """Hand on what comes from ``source`` until it ends or is cut."""
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with self._lock:
                    passes = self.watch(data, from_client)
                target.sendall(data if passes is None else data[:passes])
                if passes is not None:
                    if self.on_cut:
                        self.on_cut()
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


class _Server(ProxyServer, socketserver.ThreadingTCPServer):
    owner: TcpProxy
    request_queue_size = 128


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        owner = self.server.owner
        with socket.create_connection(("127.0.0.1", owner.port)) as there:
            pair = {self.request, there}
            self.server.sockets |= pair
            answers = threading.Thread(
                target=owner.pump, args=(there, self.request), kwargs={"from_client": False}
            )
            answers.start()
            owner.pump(self.request, there, from_client=True)
            answers.join()
            self.server.sockets -= pair
