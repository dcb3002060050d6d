"""The connection type ``oci_registry``."""

import json

import pytest

from kops_assets_provider.exceptions import InvalidInputError, Side
from kops_assets_provider.hooks.oci_registry import OciRegistryHook
from kops_assets_provider.hooks.registries import open_registries
from kops_assets_provider.testing.oci_registry import OciRegistryServer
from kops_assets_provider.testing.registry.auth import BasicAuth, TokenAuth

PASSWORD = "canary-password"


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
    trustme = pytest.importorskip("trustme")
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
