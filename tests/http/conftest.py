"""What the tests of the HTTP client share."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from kops_assets_provider.http.client import HttpClient
from tests.support.http_server import HttpServer, Response


class Server(HttpServer):
    """Answers by path as it was told to, and with ``hello`` otherwise."""

    def __init__(self, **options):
        super().__init__(**options)
        self.responses = {}

    def answer(self, request):
        request.body.drain()
        return self.responses.get(request.path, Response(200, {}, b"hello"))

    def redirect(self, path, location, status=302):
        self.responses[path] = Response(status, {"Location": location}, b"elsewhere")


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def other():
    """Another origin: the same host, another port."""
    with Server() as running:
        yield running


@pytest.fixture
def client():
    return HttpClient(connect_seconds=2, stall_seconds=1)


class RawServer:
    """Sends exactly the bytes that it was given, one answer for each request it reads."""

    def __init__(self):
        self.answers = []
        self.requests = []
        self.connections = 0
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.url = f"http://127.0.0.1:{self._sockets[0].getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection, _ = self._sockets[0].accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        request = b""
        try:
            while data := connection.recv(65536):
                request += data
                if request.endswith(b"\r\n\r\n"):
                    self.requests.append(request)
                    connection.sendall(self.answers.pop(0))
                    request = b""
        except OSError:
            return

    def close(self):
        # A socket that another thread reads from is closed only once it was shut down.
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def raw_server():
    server = RawServer()
    yield server
    server.close()
