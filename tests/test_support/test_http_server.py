"""The base of all fake servers: the record, the faults, the streaming, and the clean end."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
import urllib.request

import pytest
import trustme

from tests.support.access_log import read_access_log
from tests.support.http_server import HttpServer
from tests.support.messages import Fault, Request, Response


class EchoServer(HttpServer):
    """Answers with what it was sent."""

    def answer(self, request: Request) -> Response:
        body = b"".join(request.body)
        return Response(200, {"X-Method": request.method}, body or b"hello")


@pytest.fixture
def server():
    with EchoServer() as running:
        yield running


@pytest.fixture
def connection(server):
    connection = http.client.HTTPConnection(server.host, timeout=5)
    yield connection
    connection.close()


def fetch(connection, method="GET", path="/", body=None, headers=None):
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def test_record_tells_what_went_over_the_wire(server, connection):
    """A record has method, decoded path, query, headers, status and the sizes of both bodies."""
    fetch(connection, "PUT", "/a%3Ab?x=1", b"12345", {"X-Test": "yes"})
    (request,) = server.requests
    assert (request.method, request.path, request.query) == ("PUT", "/a:b", "x=1")
    assert request.target == "/a%3Ab?x=1"
    assert request.headers["X-Test"] == "yes"
    assert (request.status, request.received_bytes, request.sent_bytes) == (200, 5, 5)


def test_count_and_clear(server, connection):
    """Counting selects by method and path, and clearing forgets."""
    for method, path in [("GET", "/a"), ("GET", "/b"), ("HEAD", "/a")]:
        fetch(connection, method, path)
    assert (server.count(), server.count("GET"), server.count("GET", "^/a$")) == (3, 2, 1)
    server.clear()
    assert server.count() == 0


def test_requests_share_a_connection(server, connection):
    """A connection is kept alive, also after an error and after a body that nobody read."""
    server.inject(Fault("PUT", status=429, headers={"Retry-After": "7"}, body=b"slow down"))
    connection.connect()
    socket = connection.sock
    status, body, headers = fetch(connection, "PUT", body=b"x" * 100_000)
    assert (status, body, headers["Retry-After"]) == (429, b"slow down", "7")
    assert fetch(connection, "PUT", body=b"y")[:2] == (200, b"y")
    assert connection.sock is socket


def test_chunked_body_is_decoded(server, connection):
    """A request body in chunked transfer coding arrives as it was."""
    connection.request("PATCH", "/", iter([b"ab", b"c" * 70_000]), encode_chunked=True)
    assert connection.getresponse().read() == b"ab" + b"c" * 70_000
    assert server.requests[0].received_bytes == 70_002


def test_fault_skips_and_ends(server, connection):
    """A fault lets the first requests pass, hits so many, and is over."""
    server.inject(Fault("GET", "/x", skip=1, times=2, status=500))
    statuses = [fetch(connection, path="/x")[0] for _ in range(4)]
    assert statuses == [200, 500, 500, 200]


def test_fault_hits_only_what_it_matches(server, connection):
    """Another method and another path are left alone, and do not use the fault up."""
    server.inject(Fault("GET", "^/x$", status=401))
    assert fetch(connection, "PUT", "/x", b"-")[0] == 200
    assert fetch(connection, path="/xy")[0] == 200
    assert fetch(connection, path="/x")[0] == 401


def test_fault_alters_the_real_answer(server, connection):
    """Without a status, headers and body of the real answer are replaced, added or removed."""
    server.inject(Fault(headers={"x-method": None, "Content-Encoding": "gzip"}, body=b"other"))
    status, body, headers = fetch(connection)
    assert (status, body, headers["Content-Encoding"]) == (200, b"other", "gzip")
    assert headers["X-Method"] is None


@pytest.mark.parametrize("reset", [False, True])
def test_close_answers_nothing(server, connection, reset):
    """A dropped connection has no answer, and the work was not done."""
    server.inject(Fault(close=True, reset=reset))
    expected = ConnectionResetError if reset else http.client.RemoteDisconnected
    with pytest.raises(expected):
        fetch(connection)
    assert server.requests[0].status == 0


def test_lost_answer_was_worked_for(server, connection):
    """With a lost answer the server has taken in the whole request."""
    server.inject(Fault(lose_answer=True))
    with pytest.raises(http.client.RemoteDisconnected):
        fetch(connection, "PUT", body=b"12345")
    assert (server.requests[0].status, server.requests[0].received_bytes) == (0, 5)


def test_truncated_answer_has_exactly_so_many_bytes(server, connection):
    """A truncated body announces its whole length and ends before."""
    server.inject(Fault(truncate_after=3))
    connection.request("GET", "/")
    response = connection.getresponse()
    assert response.headers["Content-Length"] == "5"
    with pytest.raises(http.client.IncompleteRead) as error:
        response.read()
    assert error.value.partial == b"hel"
    assert server.requests[0].sent_bytes == 3


def test_upload_is_dropped_on_the_way(server, connection):
    """A connection can break while the client is sending."""
    server.inject(Fault("PUT", close_after_received=100_000))
    with pytest.raises(ConnectionError):
        fetch(connection, "PUT", body=b"x" * 50_000_000)
    assert 100_000 <= server.requests[0].received_bytes < 1_000_000


def test_drip_sends_byte_by_byte(server, connection):
    """A dripping answer starts at once and takes its time."""
    server.inject(Fault(drip=0.05))
    started = time.monotonic()
    assert fetch(connection)[1] == b"hello"
    assert time.monotonic() - started >= 0.2


def test_delay_holds_the_answer_back(server, connection):
    """A delayed answer comes after the delay."""
    server.inject(Fault(delay=0.2))
    started = time.monotonic()
    fetch(connection)
    assert time.monotonic() - started >= 0.2


def test_hang_up_comes_unannounced(server, connection):
    """The connection is closed after an answer that had not said so."""
    server.inject(Fault(hang_up=True))
    _, _, headers = fetch(connection)
    assert headers["Connection"] is None
    with pytest.raises(http.client.RemoteDisconnected):
        fetch(connection)


def test_more_body_than_declared(server, connection):
    """A wrong Content-Length goes out as it is told, and ends the connection."""
    server.inject(Fault(headers={"Content-Length": "2"}))
    assert fetch(connection)[1] == b"he"


def test_length_that_is_not_announced(server, connection):
    """Without Content-Length the body ends with the connection."""
    server.inject(Fault(headers={"Content-Length": None}))
    _, body, headers = fetch(connection)
    assert (body, headers["Content-Length"]) == (b"hello", None)


def test_stop_ends_all_threads_although_clients_stay():
    """Stopping is quick: neither an idle client nor a dripping answer holds it up."""
    before = threading.active_count()
    with EchoServer() as server:
        idle = http.client.HTTPConnection(server.host)
        fetch(idle)
        server.inject(Fault(path="/drip", drip=60))
        waiting = http.client.HTTPConnection(server.host)
        waiting.request("GET", "/drip")
        assert waiting.getresponse().read(1) == b"h"
        started = time.monotonic()
    assert time.monotonic() - started < 30
    assert threading.active_count() == before
    idle.close()
    waiting.close()


def test_tls(tmp_path):
    """With a certificate the server speaks https, and a client that does not trust it fails."""
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with EchoServer(certificate=tmp_path / "server.pem") as server:
        assert server.url.startswith("https://127.0.0.1:")
        with urllib.request.urlopen(server.url, context=trusting) as response:
            assert response.read() == b"hello"
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(server.url)


def test_access_log_can_be_read_back(tmp_path):
    """The access log has the same requests as the record."""
    log = tmp_path / "access.log"
    with EchoServer(access_log=log) as server:
        connection = http.client.HTTPConnection(server.host)
        fetch(connection, "PUT", "/a%3Ab?q=1", b"12345")
        connection.close()
        recorded = server.requests
    (read,) = read_access_log(log)
    for name in ("method", "path", "query", "target", "status", "received_bytes", "sent_bytes"):
        assert getattr(read, name) == getattr(recorded[0], name)
