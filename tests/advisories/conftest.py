"""
What the tests of the advisories share.

Each attack is played twice: against our client as it is, and with the one defence off. It must fail
the first time and succeed the second, or the test would prove nothing.
"""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

import pytest
import trustme
import urllib3.util.connection

from kops_assets_provider.exceptions import KopsAssetsError, Side
from kops_assets_provider.http import address_checks
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.remote import RemoteRepository
from tests.support.http_server import HttpServer, Response
from tests.support.images import ImageKind, make_image
from tests.support.oci_registry import OciRegistryServer

SECRET = "canary-password"


class Evil(HttpServer):
    """Takes down what it is sent, answers by path as it was told to, and otherwise lets all be."""

    def __init__(self, **options):
        super().__init__(**options)
        self.responses = {}

    def answer(self, request):
        request.body.drain()
        done = 200 if request.method in ("GET", "HEAD") else 201
        return self.responses.get(request.path, Response(done, {}, b"evil"))

    @property
    def port(self):
        return int(self.host.rpartition(":")[2])

    @property
    def seen(self):
        """All that came in the headers of all requests."""
        return str([x.headers for x in self.requests])


@pytest.fixture
def evil():
    with Evil() as server:
        yield server


@pytest.fixture
def defended() -> Callable[..., None]:
    """
    Return a function that plays an attack with and without a defence.

    ``check`` raises AssertionError if the attack succeeded; ``disable`` turns the defence off.
    """

    def play(check, disable):
        check()
        with pytest.MonkeyPatch.context() as patch:
            disable(patch)
            with pytest.raises(AssertionError):
                check()

    return play


class Network:
    """
    A network of our own: names have the addresses that we say, and every address is loopback.

    ``reached`` has the addresses that a connection was made to.
    """

    def __init__(self, patch):
        self.names = {}
        self.reached = []
        self._peers = weakref.WeakKeyDictionary()
        self._connect = urllib3.util.connection.create_connection
        patch.setattr(urllib3.util.connection, "create_connection", self._create_connection)
        patch.setattr(address_checks, "peer_of", self._peers.__getitem__)

    def _create_connection(self, address, *args, **options):
        host, port = address
        sock = self._connect(("127.0.0.1", port), *args, **options)
        self._peers[sock] = self.names.get(host, host.strip("[]"))
        self.reached.append(self._peers[sock])
        return sock


@pytest.fixture
def network(monkeypatch):
    return Network(monkeypatch)


@pytest.fixture
def resolver(monkeypatch):
    """Return a dictionary of names that resolve to what it says, on the real network."""
    names = {}
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **options):
        return resolve(names.get(host, host), *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names


class Authority:
    """Issues certificates; ``ca_file`` is for those who shall trust them."""

    def __init__(self, directory):
        self._ca = trustme.CA()
        self._directory = directory
        self.ca_file = str(directory / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def issue(self, *names):
        path = self._directory / f"{names[0]}.pem"
        self._ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(path)
        return path


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def login():
    return Login(username="robot", password=SECRET, name="connection my_registry")


@pytest.fixture
def open_repository():
    """Return a function that opens the repository ``kops/app`` of a registry, by its URL."""

    def make(url, login=None, side=Side.SOURCE, **options):
        http = HttpClient(connect_seconds=2, stall_seconds=2, **options)
        return RemoteRepository(RegistryClient(http, url, login, side), "kops/app")

    return make


@pytest.fixture
def attempt():
    """Return a function that does something, come what may of our errors; it returns the error."""

    def run(action, *args):
        try:
            action(*args)
        except KopsAssetsError as err:
            return err
        return None

    return run


@pytest.fixture
def fetch():
    """Return a function that gets a URL with our client."""

    def get(url, client=None, **options):
        with (client or HttpClient(stall_seconds=2)).request("GET", url, **options) as response:
            return response.read()

    return get


@pytest.fixture
def image():
    """An image of one platform: one manifest and three blobs."""
    return make_image("app", kind=ImageKind.OCI_MANIFEST)


@pytest.fixture
def guarded_registry():
    """Return a function that starts a registry which asks who is there."""
    servers = []

    def start(auth, **options):
        server = OciRegistryServer(auth=auth, **options)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        with suppress(OSError):
            server.stop()


@pytest.fixture
def listen():
    """Return a function that lets another one have each connection to a port; gives its URL."""
    listeners = []

    def start(serve):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/a"

    yield start
    for each in listeners:
        # A socket that another thread waits for is closed only once it was shut down.
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.fixture
def raw_answer(listen):
    """Return a function that serves bytes, or an iterator's, to all who ask; gives a URL."""

    def start(answer):
        def serve(connection):
            connection.recv(65536)
            for part in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(part)

        return listen(serve)

    return start


@pytest.fixture
def slow_reader(listen):
    """Return a function that serves, pausing before it takes an upload; gives a URL."""

    def start(pause):
        def serve(connection):
            time.sleep(pause)
            left = 16 << 20
            while left > 0 and (data := connection.recv(1 << 20)):
                left -= len(data)
            connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

        return listen(serve)

    return start
