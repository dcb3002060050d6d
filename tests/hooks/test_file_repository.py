"""File repositories are opened through Airflow's connections."""

import json

import pytest
import trustme

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    InvalidInputError,
    UntrustedServerError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.hooks.file_repository import S3FileRepositoryHook, open_file_stores
from kops_assets_provider.mirror.places.object_options import read_store_options
from tests.support.components import gcs_emulator, moto
from tests.support.connect_proxy import ConnectProxy
from tests.support.file_server import FileServer
from tests.support.gcs_server import GCSServer
from tests.support.google_account import service_account
from tests.support.messages import Fault
from tests.support.s3_server import S3Server

CONTENT = b"nodeup"


def write_and_stat(stores, download):
    store, path = stores.open(download)
    assert store.stat(path) is None
    store.write(path, Content.of("nodeup", CONTENT))
    return store.stat(path)


@pytest.mark.component
def test_s3_is_opened_through_the_aws_connection(monkeypatch, tmp_path):
    """A custom endpoint on the connection is honoured, also where the body is streamed."""
    with moto(tmp_path) as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
        server.client().create_bucket(Bucket="kops")
        stores = open_file_stores({}, "cloud", "google_cloud_default")
        stored = write_and_stat(stores, "https://kops.s3.us-east-1.amazonaws.com/a/nodeup")
    assert stored.size == len(CONTENT)


@pytest.mark.component
def test_gcs_is_opened_through_the_google_connection(monkeypatch, tmp_path):
    """Google's own URL needs no entry in ``file_targets``."""
    with gcs_emulator(tmp_path, bucket="kops") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        extra = {"is_anonymous": True, "project": "test"}
        value = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(value))
        stores = open_file_stores({}, None, "google")
        stored = write_and_stat(stores, "https://storage.googleapis.com/kops/a/nodeup")
    assert stored.size == len(CONTENT)


def test_a_directory_needs_no_connection(tmp_path):
    """A prefix of the download URL is mapped to it."""
    targets = {"https://files.example.com/kops": str(tmp_path)}
    stores = open_file_stores(targets, "no_such_connection", "no_such_connection")
    assert write_and_stat(stores, "https://files.example.com/kops/a/nodeup").size == len(CONTENT)
    assert (tmp_path / "a" / "nodeup").read_bytes() == CONTENT


def test_a_connection_that_verifies_nothing_is_refused(monkeypatch):
    """No option anywhere disables a check."""
    value = {"conn_type": "aws", "login": "a", "password": "s", "extra": {"verify": False}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
    with pytest.raises(InvalidInputError, match="verify is false"):
        S3FileRepositoryHook("cloud").get_store("kops")


def test_a_place_may_be_named_in_any_form(tmp_path):
    """The mirror's record lies at a place or below a download URL."""
    stores = open_file_stores({"https://files.example.com": str(tmp_path)}, None, "x")
    assert stores.open_place(str(tmp_path / "r"), "c.json")[1] == "c.json"
    assert stores.open_place("https://files.example.com/r/", "c.json")[1] == "r/c.json"


@pytest.fixture
def behind_proxy(tmp_path, monkeypatch):
    """S3 that only a proxy reaches, with a certificate of a private authority."""
    for name in ("https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("s3.test").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "server.pem"
    )
    with (
        S3Server(["kops"], certificate=tmp_path / "server.pem") as server,
        ConnectProxy({"s3.test": server.host}) as proxy,
    ):
        extra = {
            "endpoint_url": "https://s3.test",
            "region_name": "us-east-1",
            "verify": str(tmp_path / "ca.pem"),
            "config_kwargs": {"proxies": {"https": proxy.url}},
        }
        yield server, proxy, extra


def define(monkeypatch, extra):
    value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))


def test_a_connection_s_proxy_and_authority_hold_for_bodies(behind_proxy, monkeypatch):
    """Also where a body is streamed past boto3; conditions are signed with them."""
    server, proxy, extra = behind_proxy
    define(monkeypatch, extra)
    options = read_store_options({"server_side_encryption": "aws:kms", "kms_key": "alias/k"})
    stores = open_file_stores({"https://f.test": "s3://kops"}, "cloud", None, options)
    store, path = stores.open("https://f.test/nodeup")
    store.write(path, Content.of("nodeup", CONTENT), new=True)
    stored = server.buckets["kops"].objects["nodeup"]
    assert (stored.data, stored.kms_key) == (CONTENT, "alias/k")
    assert store.stat(path).sha
    assert set(proxy.tunnels) == {"s3.test:443"}
    (put,) = [x for x in server.requests if x.method == "PUT"]
    assert "if-none-match" in put.query


def test_without_them_the_server_is_not_reached(behind_proxy, monkeypatch):
    """What is missing is said."""
    server, _, extra = behind_proxy
    define(monkeypatch, {k: v for k, v in extra.items() if k != "verify"})
    stores = open_file_stores({"https://f.test": "s3://kops"}, "cloud", None)
    with pytest.raises(UntrustedServerError, match=r"s3\.test.* certificate is not trusted"):
        write_and_stat(stores, "https://f.test/nodeup")
    assert server.requests == []


def test_an_authority_of_the_environment_holds_too(behind_proxy, monkeypatch):
    """As boto3 has it: AWS_CA_BUNDLE, if the connection says nothing."""
    server, _, extra = behind_proxy
    monkeypatch.setenv("AWS_CA_BUNDLE", extra.pop("verify"))
    define(monkeypatch, extra)
    stores = open_file_stores({"https://f.test": "s3://kops"}, "cloud", None)
    assert write_and_stat(stores, "https://f.test/nodeup").size == len(CONTENT)
    assert server.count("PUT") == 1


@pytest.mark.parametrize("gcp_conn_id", [None, "google_cloud_default"])
def test_without_a_connection_google_s_default_credentials_hold(monkeypatch, tmp_path, gcp_conn_id):
    """As a pod has them, or here a file; the default connection need not be defined."""
    with FileServer() as tokens, GCSServer(["kops"]) as server:
        body = b'{"access_token": "canary", "expires_in": 3600}'
        headers = {"Content-Type": "application/json"}
        tokens.inject(Fault("POST", status=200, body=body, headers=headers, times=None))
        key = tmp_path / "key.json"
        key.write_text(json.dumps(service_account(f"{tokens.url}/token")))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        stores = open_file_stores({"https://f.test": "gs://kops"}, None, gcp_conn_id)
        store, path = stores.open("https://f.test/nodeup")
        store._client._connection.API_BASE_URL = server.url
        assert store.stat(path) is None
        (looked,) = [x for x in server.requests if x.path.endswith("/o/nodeup")]
        assert looked.headers["authorization"] == "Bearer canary"


@pytest.mark.usefixtures("no_credentials")
def test_without_any_credentials_google_is_not_asked():
    """The message says which connection was to give them."""
    stores = open_file_stores({"https://f.test": "gs://kops"}, None, None)
    with pytest.raises(AccessDeniedError, match="no connection, and no default credentials"):
        stores.open("https://f.test/nodeup")


def test_a_connection_that_is_named_must_be_there():
    """A typo is not taken for the default credentials."""
    stores = open_file_stores({"https://f.test": "gs://kops"}, None, "typo")
    with pytest.raises(InvalidInputError, match="connection typo: it is not defined"):
        stores.open("https://f.test/nodeup")
