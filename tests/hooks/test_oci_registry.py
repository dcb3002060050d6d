"""The connection type ``oci_registry``."""

import json
import time

import pytest
import trustme

from kops_assets_provider.exceptions import InvalidInputError, Side
from kops_assets_provider.hooks.oci_registry import OciRegistryHook
from kops_assets_provider.hooks.registries import open_registries
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint, Way
from tests.support.connect_proxy import ConnectProxy
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth

PASSWORD = "canary-password"
FILES = {"ca_file": "ca", "client_cert": "cert", "client_key": "key"}


@pytest.fixture
def connection(monkeypatch):
    """Define the connection ``reg`` and return its hook."""

    def define(**fields):
        value = json.dumps({"conn_type": "oci_registry", **fields})
        monkeypatch.setenv("AIRFLOW_CONN_REG", value)
        return OciRegistryHook("reg")

    return define


def test_a_connection_tells_how_to_reach_a_registry(connection):
    """HTTPS, host and port, the login, whom to trust, and who else may see the password."""
    extra = {"ca_file": "/etc/ca.pem", "token_hosts": "auth.example.com, b.example.com:444"}
    endpoint = connection(
        host="registry.example.com", port=5000, login="robot", password=PASSWORD, extra=extra
    ).get_conn()
    assert endpoint.url == "https://registry.example.com:5000"
    assert endpoint.ca_file == "/etc/ca.pem"
    assert (endpoint.login.username, endpoint.login.password) == ("robot", PASSWORD)
    assert endpoint.login.token_hosts == {"auth.example.com", "b.example.com:444"}
    assert endpoint.login.name == "connection reg"


def test_an_empty_login_is_anonymous(connection):
    """A registry may need a connection for its certificate alone."""
    assert connection(host="registry.example.com").get_conn().login is None


@pytest.mark.parametrize(
    ("host", "extra", "url"),
    [
        ("127.0.0.1:5000", {}, "http://127.0.0.1:5000"),
        ("localhost:5000", {"scheme": "https"}, "https://localhost:5000"),
        ("docker.io", {}, "https://registry-1.docker.io"),
    ],
)
def test_the_scheme_is_https_but_on_loopback(connection, host, extra, url):
    """Plain HTTP is for loopback, where TLS may be asked for."""
    assert connection(host=host, extra=extra).get_conn().url == url


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "host is ''"),
        ({"host": "https://registry.example.com"}, "expected one like registry.example.com"),
        ({"host": "registry.example.com/path"}, "expected one like"),
        ({"host": "registry.example.com", "extra": {"scheme": "http"}}, "loopback alone"),
        ({"host": "registry.example.com", "extra": {"scheme": "ftp"}}, "expected https"),
        ({"host": "registry.example.com", "password": PASSWORD}, "no user name"),
    ],
)
def test_a_wrong_connection_says_what_is_wrong(connection, fields, words):
    """The message names the connection and the field, and no secret."""
    with pytest.raises(InvalidInputError, match="connection reg") as caught:
        connection(**fields).get_conn()
    assert words in str(caught.value)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"requests_per_second": 0}, "requests_per_second is 0, expected a number above 0"),
        ({"requests_per_second": "fast"}, "requests_per_second is 'fast'"),
        ({"requests_per_second": "nan"}, "requests_per_second is 'nan'"),
        ({"requests_per_second": True}, "requests_per_second is True"),
        ({"concurrency": -1}, "concurrency is -1, expected a whole number above 0"),
        ({"concurrency": 1.5}, "concurrency is 1.5"),
        ({"concurrency": [1]}, "concurrency is [1]"),
        ({"proxy": f"robot:{PASSWORD}@proxy.example.com"}, "proxy is no URL"),
        ({"proxy": f"socks5://robot:{PASSWORD}@proxy.example.com"}, "proxy is no URL"),
        ({"proxy": [PASSWORD]}, "proxy is not text"),
        ({"ca_file": 5}, "ca_file is not text"),
        ({"token_hosts": ["a"]}, "token_hosts is not text"),
        ({"client_key": "/etc/key.pem"}, "a client_key and no client_cert"),
    ],
)
def test_a_wrong_field_says_what_is_wrong(connection, extra, words):
    """The form checks little, and nothing checks a connection from the environment."""
    with pytest.raises(InvalidInputError, match="connection reg") as caught:
        connection(host="registry.example.com", extra=extra).get_conn()
    assert words in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(connection):
    """Nobody wants to be told one thing after the other."""
    extra = {
        "scheme": "ftp",
        "requests_per_second": -1,
        "concurrency": 0,
        "proxy": "x",
        "ca_file": 1,
    }
    with pytest.raises(InvalidInputError) as caught:
        connection(host="x/y", password=PASSWORD, extra={**extra, "client_key": "k"}).get_conn()
    assert len(caught.value.problems) == 8


def test_a_connection_tells_how_to_get_there(connection):
    """Proxy, certificate and limits, also from text; the proxy's password is not shown."""
    proxy = f"http://robot:{PASSWORD}@proxy.example.com:3128"
    extra = {"client_cert": "/etc/cert.pem", "client_key": "/etc/key.pem", "proxy": proxy}
    endpoint = connection(host="registry.example.com", extra=extra).get_conn()
    assert endpoint.way == Way(
        ca_file=None, proxy=proxy, client_cert="/etc/cert.pem", client_key="/etc/key.pem"
    )
    assert PASSWORD not in repr(endpoint) + repr(endpoint.way)


def test_a_proxys_password_is_masked(connection, monkeypatch):
    """As it stands in the URL, and as it is."""
    secrets = []
    monkeypatch.setattr("kops_assets_provider.hooks.oci_registry.mask_secret", secrets.append)
    extra = {"proxy": "http://robot:canary%21@proxy.example.com:3128"}
    connection(host="registry.example.com", extra=extra).get_conn()
    assert secrets == ["canary%21", "canary!"]


@pytest.mark.parametrize("value", [20, "20"])
def test_requests_are_held_back(connection, value):
    """One after the other, as far apart as the connection says; source and target share it."""
    with OciRegistryServer() as server:
        connection(host=server.host, extra={"requests_per_second": value, "concurrency": value})
        registries = open_registries({server.host: "reg"}, {}, None, "google_cloud_default")
        began = time.monotonic()
        for _ in range(3):
            for side in (registries.source, registries.target):
                side(f"{server.host}/app:1")[0].resolve("1")
    assert time.monotonic() - began >= 5 / 20


def test_a_registry_is_reached_through_its_own_proxy(connection, tmp_path):
    """Nobody else knows its name; its certificate asks for ours."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("registry.test")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    with (
        OciRegistryServer(certificate=tmp_path / "server.pem") as server,
        ConnectProxy({"registry.test": server.host}) as proxy,
    ):
        files = {x: str(tmp_path / f"{y}.pem") for x, y in FILES.items()}
        extra = {"proxy": proxy.url, **files}
        good, message = connection(host="registry.test", extra=extra).test_connection()
        assert proxy.tunnels == ["registry.test:443"]
    assert (good, message) == (True, "https://registry.test answers to an anonymous user")


def test_registries_share_connections_if_they_are_reached_alike():
    """One client for each way there is to get somewhere."""
    ways = {"a": None, "b": None, "c": "http://proxy.example.com"}
    opened = []

    class Endpoint(RegistryEndpoint):
        def open(self, side, http=None):
            opened.append(http)
            return super().open(side, http)

    registries = Registries(lambda host: Endpoint(url=f"https://{host}", proxy=ways[host[0]]))
    for host in ways:
        registries.target(f"{host}.test/app:1")
    assert opened[0] is opened[1]
    assert opened[0] is not opened[2]


@pytest.mark.parametrize("auth", [BasicAuth, TokenAuth])
def test_the_connection_test_asks_the_registry(connection, auth):
    """It says who we are to the registry, or why it does not let us in."""
    with OciRegistryServer(auth=auth("robot", PASSWORD)) as server:
        right = connection(host=server.host, login="robot", password=PASSWORD).test_connection()
        wrong = connection(host=server.host, login="robot", password="no").test_connection()
        url = server.url
    assert right == (True, f"{url} answers to robot")
    assert wrong[0] is False
    assert "401" in wrong[1]


def test_the_connection_test_tells_of_a_registry_that_is_down(connection):
    """Not a traceback."""
    good, message = connection(host="127.0.0.1:9").test_connection()
    assert not good
    assert "127.0.0.1:9: GET /v2/ failed" in message


def test_each_registry_gets_its_own_connection(connection):
    """A host without an entry is spoken to anonymously."""
    with (
        OciRegistryServer(auth=BasicAuth("robot", PASSWORD)) as private,
        OciRegistryServer() as public,
    ):
        connection(host=private.host, login="robot", password=PASSWORD)
        registries = open_registries({private.host: "reg"}, {}, None, "google_cloud_default")
        for server in (private, public):
            repository, reference = registries.target(f"{server.host}/app:1")
            assert repository.resolve(reference.push_as) is None
        assert any(x.headers.get("Authorization") for x in private.requests)
        assert not any(x.headers.get("Authorization") for x in public.requests)


def test_a_registry_behind_a_private_authority_is_trusted_by_its_file(connection, tmp_path):
    """Without the file the certificate is refused, with it the registry answers."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    with OciRegistryServer(certificate=tmp_path / "server.pem") as server:
        extra = {"scheme": "https"}
        refused = connection(host=server.host, extra=extra).test_connection()
        extra["ca_file"] = str(tmp_path / "ca.pem")
        endpoint = connection(host=server.host, extra=extra).get_conn()
        endpoint.open(Side.TARGET).ping()
    assert refused[0] is False
    assert "its certificate is not trusted" in refused[1]
    assert "ca_file" in refused[1]
