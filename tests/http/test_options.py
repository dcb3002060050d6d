"""The options of a connection: whom it trusts, who we are, through which proxy."""

from __future__ import annotations

import ssl

import pytest
import trustme
from cryptography.hazmat.primitives import serialization as keys

from kops_assets_provider.exceptions import (
    ConnectionFailedError,
    InvalidInputError,
    UntrustedServerError,
)
from kops_assets_provider.http.client import HttpClient
from tests.support.connect_proxy import ConnectProxy
from tests.support.http_server import HttpServer, Response


class Mutual(HttpServer):
    """Wants to see a client's certificate."""

    def __init__(self, authority, **options):
        super().__init__(**options)
        authority.configure_trust(self._tls)
        self._tls.verify_mode = ssl.CERT_REQUIRED
        # With TLS 1.3 a refusal comes after the handshake, when the client may be writing.
        self._tls.maximum_version = ssl.TLSVersion.TLSv1_2
        self.location = None

    def answer(self, request):
        if self.location:
            return Response(302, {"Location": self.location})
        return Response(200, {}, b"hello")


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def files(tmp_path, authority):
    """Return the paths of a certificate's files by their names."""
    client = authority.issue_cert("client@example.com")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1", "files.test").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    chain = b"".join(x.bytes() for x in client.cert_chain_pems)
    (tmp_path / "cert.pem").write_bytes(chain)
    (tmp_path / "other.pem").write_bytes(trustme.CA().issue_cert("x.test").private_key_pem.bytes())
    key = keys.load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = keys.BestAvailableEncryption(b"secret")
    pem = key.private_bytes(keys.Encoding.PEM, keys.PrivateFormat.PKCS8, locked)
    (tmp_path / "locked.pem").write_bytes(pem)
    (tmp_path / "text.pem").write_text("no certificate")
    return {x.stem: str(x) for x in tmp_path.glob("*.pem")}


@pytest.fixture
def server(authority, files):
    with Mutual(authority, certificate=files["server"]) as running:
        yield running


def get(client, url):
    with client.request("GET", url) as response:
        return response.read()


@pytest.mark.parametrize("names", [("both", None), ("cert", "key")])
def test_a_client_has_a_certificate(server, files, names):
    """With its key in the same file, or in another one."""
    cert, key = names
    client = HttpClient(
        ca_file=files["ca"], client_cert=files[cert], client_key=files[key] if key else None
    )
    assert get(client, server.url) == b"hello"


def test_without_a_certificate_there_is_no_answer(server, files):
    """The server refuses, and it is told as a connection that failed."""
    with pytest.raises(ConnectionFailedError):
        get(HttpClient(ca_file=files["ca"]), server.url)


def test_a_certificate_is_not_shown_to_whom_a_server_leads_us(server, authority, files):
    """Who we are is for the host that the user named, as a password is."""
    with Mutual(authority, certificate=files["server"]) as other:
        client = HttpClient(ca_file=files["ca"], client_cert=files["both"])
        assert get(client, other.url) == b"hello"
        server.location = f"{other.url}/x"
        with pytest.raises(ConnectionFailedError):
            get(client, server.url)
        server.location = None
        assert get(client, server.url) == b"hello"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"ca_file": "nothing"}, "CA file .*nothing.*No such file"),
        ({"ca_file": "text"}, "CA file .*text.pem.*cannot be used"),
        ({"client_cert": "nothing"}, "client_cert .*nothing.*No such file"),
        ({"client_cert": "text"}, "client_cert .*text.pem.*cannot be used"),
        ({"client_cert": "cert"}, "client_cert .*cert.pem.*cannot be used"),
        ({"client_cert": "cert", "client_key": "nothing"}, "client_key .*nothing.*No such file"),
        ({"client_cert": "cert", "client_key": "other"}, "client_key .*other.pem.*cannot be used"),
        ({"client_cert": "cert", "client_key": "locked"}, "client_key .*locked.pem.*encrypted"),
        ({"client_key": "key"}, "client_key .*key.pem.*no client_cert"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(server, files, options, told):
    """The message has the file and what is wrong with it; nobody is asked for a password."""
    client = HttpClient(**{k: files.get(v, f"/{v}.pem") for k, v in options.items()})
    with pytest.raises(InvalidInputError, match=told):
        get(client, server.url)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:1", "http://", "x"])
def test_a_proxy_that_is_none(proxy):
    """A proxy is an http(s) URL, and the message shows one."""
    with pytest.raises(InvalidInputError, match=r"proxy.*expected http://host:port"):
        get(HttpClient(proxy=proxy), "https://files.test/")


def test_a_proxy_that_refuses(files):
    """The proxy's answer is told; the request may succeed another time."""
    with ConnectProxy({}) as proxy, pytest.raises(ConnectionFailedError, match="502"):
        get(HttpClient(proxy=proxy.url), "https://files.test/")


def test_a_proxy_does_not_make_a_stranger_trusted(server, files):
    """What comes through a tunnel has its own certificate."""
    with ConnectProxy({"other.test": server.host}) as proxy:
        client = HttpClient(proxy=proxy.url, ca_file=files["ca"], client_cert=files["both"])
        with pytest.raises(UntrustedServerError, match="certificate is not trusted"):
            get(client, "https://other.test/")


def test_this_machine_is_not_asked_for_through_a_proxy(server, files):
    """No proxy could lead back here."""
    client = HttpClient(ca_file=files["ca"], client_cert=files["both"], proxy="http://127.0.0.1:9")
    assert get(client, server.url) == b"hello"
