"""Requests, redirects and streams."""

from __future__ import annotations

import base64
import gc
import gzip
import socket
import threading
import time
import traceback

import pytest
import trustme
from urllib3.connection import HTTPConnection

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    TransientError,
    UntrustedServerError,
)
from kops_assets_provider.http.client import HttpClient
from tests.support.http_server import Response
from tests.support.messages import Fault

SECRETS = {"Authorization": "Bearer secret", "Cookie": "session=secret", "X-Other": "kept"}


def get(client, url, **options):
    with client.request("GET", url, **options) as response:
        return response.read()


def test_who_drops_a_client_drops_its_connections(server):
    """A process that has many tasks one after another, as ``dag.test()``, keeps no sockets."""
    before = _connections()
    get(HttpClient(), f"{server.url}/a")
    assert _connections() == before


def _connections():
    gc.collect()
    return sum(isinstance(x, HTTPConnection) and x.sock is not None for x in gc.get_objects())


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_in_the_same_origin_keeps_credentials(server, client, status):
    """Credentials belong to an origin: scheme, host and port."""
    server.redirect("/a", "/b?x=1", status)
    assert get(client, f"{server.url}/a", headers=SECRETS) == b"hello"
    last = server.requests[-1]
    assert (last.path, last.query) == ("/b", "x=1")
    assert {k: last.headers[k] for k in SECRETS} == SECRETS


def test_a_redirect_to_another_port_loses_credentials(server, other, client):
    """Another port is another origin: it gets the request, but neither token nor cookie."""
    server.redirect("/a", f"{other.url}/b")
    assert get(client, f"{server.url}/a", headers=SECRETS) == b"hello"
    (request,) = other.requests
    assert request.headers["X-Other"] == "kept"
    assert "secret" not in str(request.headers)


def test_credentials_do_not_come_back(server, other, client):
    """What was lost on the way is not found again, even if the way leads back."""
    server.redirect("/a", f"{other.url}/b")
    other.redirect("/b", f"{server.url}/c")
    get(client, f"{server.url}/a", headers=SECRETS)
    assert server.requests[-1].path == "/c"
    assert "secret" not in str(server.requests[-1].headers)


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "0.0.0.0",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[2002:a9fe:a9fe::]",
        "[64:ff9b::a9fe:a9fe]",
    ],
)
def test_no_redirect_to_metadata(server, client, host):
    """Link-local addresses, however they are spelt, are where clouds keep credentials."""
    server.redirect("/a", f"http://{host}/latest/meta-data?x=secret")
    with pytest.raises(UntrustedServerError, match="which is refused") as error:
        get(client, f"{server.url}/a", side=Side.SOURCE)
    assert error.value.side is Side.SOURCE
    assert "secret" not in str(error.value)


def test_no_redirect_from_https_to_http(tmp_path, server):
    """A redirect may not take encryption away."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    issued.write_to_path(tmp_path / "server.pem")
    client = HttpClient(ca_file=str(tmp_path / "ca.pem"))
    with type(server)(certificate=tmp_path / "server.pem") as secure:
        assert get(client, f"{secure.url}/x") == b"hello"
        secure.redirect("/a", f"{server.url}/b")
        with pytest.raises(UntrustedServerError, match=r"redirects to http://"):
            get(client, f"{secure.url}/a")
        with pytest.raises(UntrustedServerError, match=r"certificate is not trusted"):
            get(HttpClient(), f"{secure.url}/x")
    assert server.requests == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://", "//:x/"])
def test_no_redirect_to_anything_else(server, client, location):
    """Only http and https URLs are followed."""
    server.redirect("/a", location)
    with pytest.raises(UntrustedServerError):
        get(client, f"{server.url}/a")


def test_redirects_end(server, client):
    """A circle of redirects is left after five."""
    server.redirect("/a", "/a")
    with pytest.raises(UntrustedServerError, match="more than 5 redirects"):
        get(client, f"{server.url}/a")
    assert len(server.requests) == 6


def test_a_redirect_that_leads_nowhere_is_an_answer(server, client):
    """Without Location there is nothing to follow: the status is told, or given to the caller."""
    server.responses["/a"] = Response(301)
    with pytest.raises(RequestRejectedError, match="answered 301"):
        get(client, f"{server.url}/a")
    with client.request("HEAD", f"{server.url}/a", accept={301}) as response:
        assert response.status == 301
    assert len(server.requests) == 2


def test_an_upload_is_not_redirected(server, other, client):
    """A body that was sent cannot be sent again: a redirect of it is the caller's to handle."""
    server.redirect("/a", f"{other.url}/b", 307)
    with pytest.raises(RequestRejectedError, match="answered 307"):
        client.request("PUT", f"{server.url}/a", body=b"x").__enter__()
    assert other.requests == []


# --- failures


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RequestRejectedError),
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (410, NotFoundError),
        (201, RequestRejectedError),
        (202, ServerFailedError),
        (203, RequestRejectedError),
        (204, RequestRejectedError),
        (205, RequestRejectedError),
        (206, ServerFailedError),
        (226, RequestRejectedError),
        (408, ServerFailedError),
        (416, RequestRejectedError),
        (429, RateLimitedError),
        (500, ServerFailedError),
        (503, ServerFailedError),
    ],
)
def test_a_status_has_its_error(server, client, status, error):
    """Each status is an error of one kind, with place, method, status and side."""
    server.responses["/a"] = Response(status, {}, b"<html>no</html>")
    with pytest.raises(error) as raised:
        get(client, f"{server.url}/a", side=Side.TARGET)
    assert type(raised.value) is error
    assert str(raised.value) == f"target {server.host}: GET /a answered {status}"


def test_an_accepted_status_is_no_error(server, client):
    """A caller that knows what to do with a status gets the response."""
    server.responses["/a"] = Response(404, {}, b"gone")
    with client.request("GET", f"{server.url}/a", accept={404}) as response:
        assert (response.status, response.read()) == (404, b"gone")


def test_a_server_says_when_to_come_back(server, client):
    """The error has the seconds that Retry-After asks for."""
    server.responses["/a"] = Response(429, {"Retry-After": "17"})
    with pytest.raises(RateLimitedError) as error:
        get(client, f"{server.url}/a")
    assert error.value.retry_after == 17


def test_a_refused_connection(client):
    """Nobody listens: a failure that may pass."""
    with pytest.raises(ConnectionFailedError, match=r"GET /a failed: .*refused") as error:
        get(client, "http://127.0.0.1:9/a?x=secret", side=Side.SOURCE)
    assert error.value.side is Side.SOURCE


@pytest.mark.parametrize("reset", [False, True])
def test_a_dropped_connection(server, client, reset):
    """The server goes away without an answer: a failure that may pass."""
    server.inject(Fault(close=True, reset=reset, times=2))
    with pytest.raises(ConnectionFailedError):
        get(client, server.url)


def test_a_connection_that_was_closed_meanwhile(server, client):
    """A kept connection may be closed under a GET: it is sent again, once, and a PUT is not."""
    server.inject(Fault(close=True))
    assert get(client, f"{server.url}/a") is not None
    server.inject(Fault(close=True))
    with pytest.raises(ConnectionFailedError), client.request("PUT", server.url, body=b"x"):
        pass


def test_a_server_that_says_nothing(server, client):
    """Silence before the answer ends after ``stall_seconds``."""
    server.inject(Fault(delay=60))
    started = time.monotonic()
    with pytest.raises(ConnectionFailedError):
        get(client, server.url)
    assert time.monotonic() - started < 30


def test_a_body_that_stalls(server):
    """Silence within a body ends after ``stall_seconds``, and is not waited for once more."""
    server.inject(Fault(drip=60))
    client = HttpClient(stall_seconds=0.5)
    started = time.monotonic()
    with pytest.raises(ConnectionFailedError):
        get(client, server.url)
    assert time.monotonic() - started < 30


def test_a_slow_body_is_no_stall(server):
    """The limit is on silence, not on length: a body may take longer than ``stall_seconds``."""

    def slowly():
        for _ in range(10):
            time.sleep(0.2)
            yield b"x" * 1024

    server.responses["/a"] = Response(200, {}, slowly(), 10240)
    assert get(HttpClient(stall_seconds=1.5), f"{server.url}/a") == b"x" * 10240


def test_a_truncated_body(server, client):
    """A body that ends before its length is a failure, not a short file."""
    server.responses["/a"] = Response(200, {}, b"x" * 3_000_000)
    server.inject(Fault(truncate_after=2_000_000))
    with client.request("GET", f"{server.url}/a", side=Side.SOURCE) as response:
        assert response.length == 3_000_000
        with pytest.raises(ConnectionFailedError) as error:
            list(response.stream())
    assert "1000000 more expected" in str(error.value)
    assert error.value.side is Side.SOURCE


def test_a_body_that_is_too_long_to_be_read(server, client):
    """``read`` is for small bodies, whatever a server sends."""
    server.responses["/a"] = Response(200, {}, b"x" * 70_000)
    with pytest.raises(UntrustedServerError, match="more than 65536 bytes"):
        get(client, f"{server.url}/a")


@pytest.mark.parametrize("url", ["ftp://example.com/a", "example.com/a", "http:///a", "/a", ""])
def test_a_url_that_is_none(client, url):
    """What cannot be asked for is the user's mistake, not a failure that may pass."""
    with pytest.raises(InvalidInputError):
        get(client, url)


@pytest.mark.parametrize(
    "fault", [Fault(close=True, times=2), Fault(status=403), Fault(truncate_after=1)]
)
def test_nothing_confidential_is_told(server, client, fault):
    """Neither query nor user info is in a message, nor in the traceback that is logged with it."""
    server.inject(fault)
    url = f"http://user:secret@{server.host}/a?token=secret"
    with pytest.raises((AccessDeniedError, TransientError)) as error:
        get(client, url)
    assert str(error.value).startswith(f"{server.host}: GET /a ")
    assert "secret" not in "".join(traceback.format_exception(error.value))


# --- bodies and connections


def test_nothing_is_unpacked(server, client):
    """What is hashed is what was sent: no encoding is asked for, and none is undone."""
    packed = gzip.compress(b"x" * 1_000_000)
    server.responses["/a"] = Response(200, {"Content-Encoding": "gzip"}, packed)
    assert get(client, f"{server.url}/a") == packed
    assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_an_upload_has_its_length(server, client):
    """An iterable goes out with the length that the caller gives, not in chunked coding."""
    chunks = iter([b"a" * 1000, b"", b"b" * 2_000_000])
    headers = {"Content-Length": "2001000"}
    with client.request("PUT", f"{server.url}/a", headers=headers, body=chunks):
        pass
    (request,) = server.requests
    assert request.received_bytes == 2_001_000
    assert "Transfer-Encoding" not in request.headers


def test_what_an_upload_raises_comes_through(server, client):
    """An error of the body's own source is not mistaken for one of the connection."""

    def body():
        yield b"x" * 1000
        raise NotFoundError("the source is gone", side=Side.SOURCE)

    with pytest.raises(NotFoundError, match="source the source is gone"):
        client.request(
            "PUT", server.url, headers={"Content-Length": "2000"}, body=body()
        ).__enter__()


def test_an_upload_starts_with_its_first_chunk(server, client):
    """A body that raises before its first chunk sends no headers: without length they were all."""

    def body():
        raise NotFoundError("the source is gone", side=Side.SOURCE)
        yield b""

    with pytest.raises(NotFoundError):
        client.request("PUT", server.url, headers={"Content-Length": "0"}, body=body()).__enter__()
    assert server.requests == []


def test_a_refusal_in_the_middle_of_an_upload_is_read(server, client):
    """A server that answers before it has read all is understood."""
    server.inject(Fault("PUT", status=403, hang_up=True))
    chunks = (b"x" * 100_000 for _ in range(10))
    with pytest.raises((AccessDeniedError, ConnectionFailedError)):
        client.request(
            "PUT", server.url, headers={"Content-Length": "1000000"}, body=chunks
        ).__enter__()


def test_a_success_before_all_was_sent_is_none(client):
    """The last chunk goes out only once all are known to be right: here nobody knows that."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_answer_without_reading, args=(listener,))
        answering.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/a"
        chunks = (b"x" * 100_000 for _ in range(300))
        headers = {"Content-Length": "30000000"}
        with pytest.raises(ConnectionFailedError, match="answered 201 before all of the body was"):
            client.request("PUT", url, headers=headers, body=chunks).__enter__()
        answering.join()


def _answer_without_reading(listener):
    connection, _ = listener.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        # An end of the stream before the reset: what was answered can be read then.
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.1)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 9\r\n\r\nelsewhere"


@pytest.mark.parametrize(
    "first",
    [
        WHOLE,
        CHUNKED,
        REDIRECT,
        WHOLE.replace(b"200 OK", b"404 Not Found"),
        CHUNKED.replace(b"200 OK", b"404 Not Found"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_a_connection_is_used_again(raw_server, client, first):
    """A whole exchange, an error, and a redirect with a small body: all on one connection."""
    raw_server.answers = [first, WHOLE, WHOLE]
    for _ in range(2):
        with client.request("GET", raw_server.url, accept={204, 404}) as response:
            response.read()
    assert raw_server.connections == 1


def test_the_body_of_an_error_is_read(raw_server, client):
    """An error that is raised gives its connection back, too."""
    raw_server.answers = [WHOLE.replace(b"200 OK", b"404 Not Found"), WHOLE]
    with pytest.raises(NotFoundError):
        get(client, raw_server.url)
    assert get(client, raw_server.url) == b"hello"
    assert raw_server.connections == 1


@pytest.mark.parametrize("length", [b"Content-Length: 99999999", b"Transfer-Encoding: chunked"])
def test_a_body_that_nobody_wants_is_not_read(raw_server, client, length):
    """A body that is left in the middle may be endless: its connection is closed instead."""
    head = b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n"
    # The server sends no more, and waits: reading on would be a stall.
    raw_server.answers = [head + b"5\r\nhello\r\n", WHOLE]
    started = time.monotonic()
    with client.request("GET", raw_server.url):
        pass
    assert get(client, raw_server.url) == b"hello"
    assert time.monotonic() - started < 0.5
    assert raw_server.connections == 2


def test_a_proxy_is_used(raw_server, monkeypatch):
    """The environment's proxy gets the whole URL, and the password that is in its own."""
    raw_server.answers = [WHOLE]
    monkeypatch.setenv("http_proxy", raw_server.url.replace("//", "//user:p%40ss@"))
    monkeypatch.delenv("no_proxy", raising=False)
    assert get(HttpClient(), "http://files.example.com/a?b=c") == b"hello"
    (request,) = raw_server.requests
    assert request.startswith(b"GET http://files.example.com/a?b=c HTTP/1.1")
    assert b"Basic " + base64.b64encode(b"user:p@ss") in request


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "files.example.com", "example.com", "*"])
def test_no_proxy_is_honoured(raw_server, monkeypatch, no_proxy):
    """NO_PROXY names hosts and domains that are asked directly; loopback always is."""
    monkeypatch.setenv("http_proxy", raw_server.url)
    monkeypatch.setenv("no_proxy", no_proxy)
    client = HttpClient(connect_seconds=1)
    if no_proxy == "127.0.0.1":
        raw_server.answers = [WHOLE]
        assert get(client, raw_server.url) == b"hello"
        assert raw_server.requests[0].startswith(b"GET / HTTP/1.1")
        return
    with pytest.raises(ConnectionFailedError):
        get(client, "http://user@files.example.com:9/a")
    assert raw_server.requests == []


def test_a_header_that_comes_twice_is_read_twice(raw_server, client):
    """Two challenges in two headers do not become one."""
    raw_server.answers.append(
        b'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="a\r\n'
        b"www-authenticate: Bearer realm=b\r\nContent-Length: 0\r\n\r\n"
    )
    with client.request("GET", raw_server.url, accept={401}) as response:
        assert response.all_of("WWW-Authenticate") == ['Basic realm="a', "Bearer realm=b"]
