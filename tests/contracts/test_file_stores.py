"""Every store keeps the contract: in memory, in a directory, in S3 and in Google Cloud Storage."""

from __future__ import annotations

import urllib.request

import pytest

from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.http.client import HttpClient
from tests.support.components import gcs_emulator, moto, seaweedfs
from tests.support.file_store_contract import FileStoreContract
from tests.support.gcs_server import GCSServer
from tests.support.memory_files import MemoryStore
from tests.support.s3_server import S3Server

BUCKET = "files"


@pytest.fixture(scope="module")
def moto_server(tmp_path_factory):
    with moto(tmp_path_factory.mktemp("moto")) as server:
        server.client().create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="module")
def seaweedfs_server(tmp_path_factory):
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        server.client().create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="module")
def gcs_server(tmp_path_factory):
    with gcs_emulator(tmp_path_factory.mktemp("gcs"), bucket=BUCKET) as server:
        yield server


def emptied(client):
    """Return the client of an S3 whose bucket has been emptied."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
    return client


class TestMemory(FileStoreContract):
    @pytest.fixture
    def store(self):
        return MemoryStore()


class TestDirectory(FileStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        yield DirectoryStore(tmp_path / "not" / "yet" / "there")
        # No test may leave a temporary file behind.
        assert not list(tmp_path.rglob(".*"))


class TestMoto(FileStoreContract):
    """Moto checks neither a signature nor a checksum: all that is refused, we have refused."""

    @pytest.fixture
    def store(self, moto_server):
        return S3Store(emptied(moto_server.client()), HttpClient(), BUCKET)


@pytest.mark.component
class TestSeaweedFS(FileStoreContract):
    """SeaweedFS checks signatures, checksums and conditions as AWS does."""

    @pytest.fixture
    def store(self, seaweedfs_server):
        return S3Store(emptied(seaweedfs_server.client()), HttpClient(), BUCKET)


class TestS3Server(FileStoreContract):
    """Our fake checks checksums and conditions as SeaweedFS does."""

    @pytest.fixture
    def store(self):
        with S3Server([BUCKET]) as server:
            client = server.client()
            yield S3Store(client, HttpClient(), BUCKET)
            client.close()


class TestS3ServerWithoutChecks(FileStoreContract):
    """A server that ignores checksums: all that is refused, we have refused."""

    @pytest.fixture
    def store(self):
        with S3Server([BUCKET], checks=False) as server:
            client = server.client()
            yield S3Store(client, HttpClient(), BUCKET)
            client.close()


class TestGCS(FileStoreContract):
    @pytest.fixture
    def store(self, gcs_server):
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        urllib.request.urlopen(f"{gcs_server.url}/wipe?keep-buckets=1").close()
        client = Client(
            project="test",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": gcs_server.url},
        )
        yield GCSStore(client, HttpClient(), BUCKET)
        client.close()


class TestGCSServer(FileStoreContract):
    """Our fake checks hashes and conditions, which the emulator does not."""

    @pytest.fixture
    def store(self):
        with GCSServer([BUCKET]) as server:
            client = server.client()
            yield GCSStore(client, HttpClient(), BUCKET)
            client.close()
            # Nothing waits for more bytes: an upload has ended, or was cancelled.
            assert all(session.stored for session in server.sessions.values())
