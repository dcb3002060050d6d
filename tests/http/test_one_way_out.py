"""
One way out: where only a proxy reaches the world, and only a private authority is trusted.

No name here has an address but in the proxy. Whatever is reached was reached through it, and
whoever tries without it is caught at the look-up.
"""

from __future__ import annotations

import hashlib
import json
import socket
from contextlib import ExitStack
from functools import partial

import boto3
import pytest
import trustme
from botocore.config import Config
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from kops_assets_provider.exceptions import UntrustedServerError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.lists.hashes import fetch_sha
from kops_assets_provider.mirror.lists.saved_lists import read_saved_list
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.oci.auth import Login
from tests.copies import copy_between
from tests.support.connect_proxy import ConnectProxy
from tests.support.file_server import FileServer
from tests.support.http_server import HttpServer, Response
from tests.support.images import make_image, put_image
from tests.support.memory_files import MemoryStore
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import TokenAuth

RAW = b"content"
SHA = hashlib.sha256(RAW).hexdigest()
LIST = {
    "images": [],
    "files": [
        {"canonical": "https://files.test/a", "download": "https://files.test/b", "sha": SHA}
    ],
}


class FakeS3(HttpServer):
    """Keeps what is put, and lists it."""

    def __init__(self, **options):
        super().__init__(**options)
        self.objects = {}

    def answer(self, request):
        if request.method == "PUT":
            self.objects[request.path] = request.body.read()
            return Response(200)
        request.body.drain()
        if request.path in self.objects:
            return Response(200, {}, self.objects[request.path])
        return Response(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")


class FakeGCS(HttpServer):
    """Opens sessions and finishes them: https://docs.cloud.google.com/storage/docs/json_api."""

    def __init__(self, **options):
        super().__init__(**options)
        self.objects = {}

    def answer(self, request):
        if request.method == "POST":
            name = json.loads(request.body.read())["name"]
            return Response(200, {"Location": f"https://gcs.test/upload?upload_id={name}"})
        if request.method == "PUT":
            self.objects[request.params["upload_id"]] = request.body.read()
            return Response(200, {}, b"{}")
        request.body.drain()
        return Response(404, {}, b"{}")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Return the servers of the world by their names; the proxy is among them."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    names = ["registry.test", "token.test", "mirror.test", "files.test", "s3.test", "gcs.test"]
    issued = authority.issue_cert(*names).private_key_and_cert_chain_pem
    issued.write_to_path(tmp_path / "server.pem")
    tls = {"certificate": tmp_path / "server.pem"}
    auth = TokenAuth("robot", "secret", realm="https://token.test/token")
    with ExitStack() as stack:
        servers = {
            "registry.test": stack.enter_context(OciRegistryServer(**tls)),
            "mirror.test": stack.enter_context(OciRegistryServer(auth=auth, **tls)),
            "files.test": stack.enter_context(FileServer({}, **tls)),
            "s3.test": stack.enter_context(FakeS3(**tls)),
            "gcs.test": stack.enter_context(FakeGCS(**tls)),
        }
        servers["token.test"] = servers["mirror.test"]
        routes = {name: server.host for name, server in servers.items()}
        proxy = stack.enter_context(ConnectProxy(routes))
        set_environment(monkeypatch, proxy.url, str(tmp_path / "ca.pem"))
        yield servers | {"proxy": proxy}


def set_environment(monkeypatch, proxy, ca_file):
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    # Ours; boto3's; and that of requests, by which Google's client speaks.
    for name in ("SSL_CERT_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, ca_file)


@pytest.fixture(autouse=True)
def direct(monkeypatch):
    """The names that somebody tried to reach without the proxy: there must be none."""
    asked = []
    resolve = socket.getaddrinfo

    def getaddrinfo(host, *args, **options):
        if host not in ("127.0.0.1", "localhost", None):
            asked.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "nobody knows this name")
        return resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    assert asked == []


def hosts(world):
    return {x.partition(":")[0] for x in world["proxy"].tunnels}


def s3_client():
    return boto3.client(
        "s3",
        endpoint_url="https://s3.test",
        region_name="us-east-1",
        aws_access_key_id="access",
        aws_secret_access_key="secret",
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            retries={"max_attempts": 0},
        ),
    )


@pytest.fixture
def gcs_client():
    client = Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": "https://gcs.test"},
    )
    yield client
    client.close()


def test_images(world):
    """Pulls and pushes, and the token in between."""
    image = make_image("app")
    put_image(world["registry.test"], "app:1", image)
    login = Login(username="robot", password="secret", token_hosts=frozenset({"token.test"}))
    opened = Registries(
        lambda host: RegistryEndpoint(
            url=f"https://{host}", login=login if host == "mirror.test" else None
        )
    )
    copied = copy_between(
        *opened.source("registry.test/app:1"), *opened.target("mirror.test/app:1")
    )
    assert copied.digest == image.digest
    assert hosts(world) == {"registry.test", "mirror.test", "token.test"}


def test_files(world):
    """A file's source."""
    world["files.test"].put("/a", RAW)
    store = MemoryStore()
    copy_file(HttpFileSource(HttpClient()), ["https://files.test/a"], store, "a", SHA)
    assert store.stat("a") is not None
    assert hosts(world) == {"files.test"}


def test_hash_files(world):
    """The hash beside a file."""
    world["files.test"].put("/a.sha256", SHA.encode())
    assert fetch_sha("https://files.test/a", HttpClient()).sha == SHA
    assert hosts(world) == {"files.test"}


def test_a_saved_list(world):
    """A list that somebody saved behind HTTPS."""
    world["files.test"].put("/list.json", json.dumps(LIST).encode())
    listed = read_saved_list("https://files.test/list.json", StateStores(), "c", "1.36.2")
    assert [x.sha for x in listed.assets.files] == [SHA]
    assert hosts(world) == {"files.test"}


def test_files_in_s3(world):
    """Requests that boto3 signs and we send."""
    store = S3Store(s3_client(), HttpClient(), "files")
    store.write("a", Content.of("a", RAW))
    with store.read("a") as chunks:
        assert b"".join(chunks) == RAW
    assert hosts(world) == {"s3.test"}


def test_state_in_s3(world):
    """Requests that boto3 sends itself, with the environment's proxy and authorities."""
    world["s3.test"].objects["/bucket/config"] = RAW
    stores = StateStores(s3_client=s3_client)
    assert stores.open("s3://bucket").read("config") == RAW
    assert hosts(world) == {"s3.test"}


def test_files_in_gcs(world, gcs_client):
    """The session is Google's client to open, and ours to fill."""
    store = GCSStore(gcs_client, HttpClient(), "files")
    assert store.stat("a") is None
    store.write("a", Content.of("a", RAW), new=True)
    assert world["gcs.test"].objects == {"a": RAW}
    assert hosts(world) == {"gcs.test"}


def test_state_in_gcs(world, gcs_client):
    """Google's client, alone."""
    store = StateStores(gcs_client=lambda: gcs_client).open("gs://bucket")
    assert store.read("config") is None
    assert hosts(world) == {"gcs.test"}


def test_a_proxy_and_an_authority_of_a_connection(world, monkeypatch, tmp_path):
    """What a connection says goes before the environment."""
    world["files.test"].put("/a", RAW)
    proxy = world["proxy"].url
    for name in ("https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("no_proxy", "*")
    get = partial(_get, "https://files.test/a")
    assert get(HttpClient(proxy=proxy, ca_file=str(tmp_path / "ca.pem"))) == RAW
    with pytest.raises(UntrustedServerError):
        get(HttpClient(proxy=proxy))


def _get(url, client):
    with client.request("GET", url) as response:
        return response.read()
