"""Every state store keeps the contract: in memory, a directory, S3 and Google Cloud Storage."""

from __future__ import annotations

import re

import pytest

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, NotFoundError
from kops_assets_provider.mirror.places.state.directory import DirectoryStateStore
from kops_assets_provider.mirror.places.state.gcs import GCSStateStore
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.places.state.s3 import S3StateStore
from tests.support.components import gcs_emulator, moto, seaweedfs
from tests.support.memory_state_store import MemoryStateStore
from tests.support.state_store_contract import DOCUMENTS, StateStoreContract

BUCKET = "state"
PREFIX = "kops/store"


@pytest.fixture(scope="module")
def gcs_client(tmp_path_factory):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    with gcs_emulator(tmp_path_factory.mktemp("gcs"), bucket=BUCKET) as server:
        client = Client(
            project="test",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": server.url},
        )
        for path, content in DOCUMENTS.items():
            client.bucket(BUCKET).blob(f"{PREFIX}/{path}").upload_from_string(content)
        yield client
        client.close()


def filled(client):
    """Make the bucket and put the documents below the prefix, and something beside it."""
    client.create_bucket(Bucket=BUCKET)
    for path, content in {**DOCUMENTS, "../storefront": b"another"}.items():
        key = f"{PREFIX}/{path}".replace("store/../", "")
        client.put_object(Bucket=BUCKET, Key=key, Body=content)
    return client


@pytest.fixture(scope="module")
def moto_client(tmp_path_factory):
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield filled(server.client())


@pytest.fixture(scope="module")
def seaweedfs_server(tmp_path_factory):
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="module")
def seaweedfs_client(seaweedfs_server):
    return filled(seaweedfs_server.client())


class TestMemory(StateStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStateStore(DOCUMENTS)


class TestDirectory(StateStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        for path, content in DOCUMENTS.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return DirectoryStateStore(tmp_path)


class TestMoto(StateStoreContract):
    @pytest.fixture
    def store(self, moto_client):
        return S3StateStore(moto_client, BUCKET, PREFIX)


@pytest.mark.component
class TestSeaweedFS(StateStoreContract):
    @pytest.fixture
    def store(self, seaweedfs_client):
        return S3StateStore(seaweedfs_client, BUCKET, PREFIX)

    @pytest.mark.usefixtures("store")
    def test_the_default_chain_finds_keys(self, seaweedfs_server, monkeypatch):
        """The command reads as whoever runs it."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweedfs_server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweedfs_server.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs_server.secret_key)
        store = StateStores().open(f"s3://{BUCKET}/{PREFIX}/")
        assert store.read("a.example.com/config") == b"a"
        assert store.place == f"s3://{BUCKET}/{PREFIX}"

    def test_wrong_keys_are_denied(self, seaweedfs_client, monkeypatch):
        """The error names the place and the right that it takes, and no key."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweedfs_client.meta.endpoint_url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAWRONGWRONGWRONG1")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
        with pytest.raises(AccessDeniedError, match=r"s3://state/kops/c/config.*s3:GetObject") as e:
            StateStores().open("s3://state/kops").read("c/config")
        assert "WRONG1" not in str(e.value)


class TestGCS(StateStoreContract):
    @pytest.fixture
    def store(self, gcs_client):
        return GCSStateStore(gcs_client, BUCKET, PREFIX)

    @pytest.mark.usefixtures("store")
    def test_the_default_chain_needs_no_project(self, gcs_client, monkeypatch):
        """Reading belongs to no project; the emulator asks for no credentials."""
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_client.api_endpoint)
        monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        store = StateStores().open(f"gs://{BUCKET}/{PREFIX}")
        assert store.read("a.example.com/config") == b"a"


def test_a_bucket_that_is_not_there_is_told(moto_client):
    """It is another error than a cluster that is not there."""
    with pytest.raises(NotFoundError, match=r"s3://nowhere.*bucket does not exist"):
        S3StateStore(moto_client, "nowhere").list()


def test_a_name_that_is_no_bucket_is_told(moto_client):
    """Nothing is sent for it."""
    with pytest.raises(InvalidInputError, match="no name of a bucket"):
        S3StateStore(moto_client, "no bucket!").read("x")


@pytest.mark.parametrize("read", [StateStores.open, StateStores.read])
@pytest.mark.parametrize("place", ["s3://KEY:SECRET@state/x", "gs://KEY:SEC/RET@state/x"])
def test_keys_in_a_place_are_refused_and_not_told(read, place):
    """Neither as a bucket nor in the error."""
    with pytest.raises(InvalidInputError, match="is not s3://bucket") as caught:
        read(StateStores(), place)
    assert not re.search("KEY|SEC|RET", str(caught.value))


def test_a_query_is_not_told(moto_client):
    """A presigned URL that lost its host is no place, and its signature no one's business."""
    stores = StateStores(s3_client=lambda: moto_client)
    with pytest.raises(InvalidInputError, match=r"^s3://state/y: a place has no query"):
        stores.read("s3://state/y?X-Amz-Signature=secret")


@pytest.mark.parametrize("place", ["azureblob://x/y", "relative/path", "s3://", "https://x/y"])
def test_an_unknown_kind_of_place_is_told(place):
    """The message says what is understood."""
    with pytest.raises(InvalidInputError, match="s3://bucket/prefix, gs://bucket/prefix"):
        StateStores().open(place)


def test_a_single_document_is_read_by_its_place(tmp_path):
    """A file as well as an object; one that is not there is an error of the user's."""
    (tmp_path / "list.json").write_bytes(b"{}")
    assert StateStores().read(str(tmp_path / "list.json")) == b"{}"
    assert StateStores().read(f"file://{tmp_path}/list.json") == b"{}"
    for place in (f"{tmp_path}/none", f"{tmp_path}/"):
        with pytest.raises(InvalidInputError, match="no such document"):
            StateStores().read(place)


def test_a_single_document_may_be_a_link(tmp_path):
    """It is named by whoever starts us, and no store that others fill."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "list.json").write_bytes(b"{}")
    (tmp_path / "b" / "list.json").symlink_to("../a/list.json")
    assert StateStores().read(f"{tmp_path}/b/list.json") == b"{}"
    assert StateStores().read(f"file://{tmp_path}/b/list.json") == b"{}"
