"""What Google's client sends by itself has the limits of all other requests."""

from __future__ import annotations

import time

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from requests.adapters import HTTPAdapter

from kops_assets_provider.exceptions import ConnectionFailedError
from kops_assets_provider.files import gcs_limits
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.gcs_limits import limit_requests
from tests.support.http_server import HttpServer, Response

MIB = 1 << 20


class Hostile(HttpServer):
    """Answers every request with what ``body`` yields."""

    length = 1000 * MIB

    def answer(self, request):
        return Response(200, {"Content-Type": "application/json"}, self.body(), self.length)

    def body(self):
        while True:
            yield b" "
            time.sleep(0.1)


class Endless(Hostile):
    def body(self):
        for _ in range(1000):
            yield b" " * MIB


def open_store(server, http):
    options = {"api_endpoint": server.url}
    client = Client(project="test", credentials=AnonymousCredentials(), client_options=options)
    return GCSStore(client, http, "files")


def read(store):
    with store.read("a") as chunks:
        return sum(map(len, chunks))


OPERATIONS = [read, lambda store: store.stat("a"), lambda store: store.list(["a"])]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_that_drips_is_a_stall(http, monkeypatch, operation):
    """A byte now and then is no progress, whoever asks."""
    monkeypatch.setattr(gcs_limits, "STALL_SECONDS", 0.5)
    with Hostile() as server:
        started = time.monotonic()
        with pytest.raises(ConnectionFailedError, match="connection failed"):
            operation(open_store(server, http))
        assert time.monotonic() - started < 30


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_without_end_is_not_kept(http, operation):
    """No description has 16 MiB, and no range more bytes than were asked for."""
    with Endless() as server:
        started = time.monotonic()
        with pytest.raises(ConnectionFailedError, match="connection failed"):
            operation(open_store(server, http))
        assert time.monotonic() - started < 30


def test_adapters_of_others_stay():
    """Such as that for TLS with a client's certificate."""

    class Own(HTTPAdapter):
        pass

    own, client = Own(), Client(project="test", credentials=AnonymousCredentials())
    client._http.mount("https://", own)
    limit_requests(client)
    assert client._http.get_adapter("https://a") is own
    assert client._http.get_adapter("http://a") is not own
    client.close()
