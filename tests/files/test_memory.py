"""Memory: a file is never in it as a whole, however large."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from kops_assets_provider.testing.components import gcs_emulator, seaweedfs
from kops_assets_provider.testing.file_server import FileServer

SIZE = 200 << 20  # bytes
LIMIT = 64 << 20

COPY = """
import resource, sys
{setup}
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.client import HttpClient

http = HttpClient()
store = make_store(http)
url, small, large = sys.argv[1:]
# A small file first: imports and pools are not what is measured.
copy_file(HttpFileSource(http), url + "/small", store, "small", small)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
copied = copy_file(HttpFileSource(http), url + "/large", store, "large", large)
assert copied.copied
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
DIRECTORY = """
from kops_assets_provider.files.directory import DirectoryStore
def make_store(http): return DirectoryStore({root!r})
"""
S3 = """
import boto3
from botocore.config import Config
from kops_assets_provider.files.s3 import S3Store
def make_store(http):
    client = boto3.client("s3", endpoint_url={url!r}, region_name="us-east-1",
        aws_access_key_id={access!r}, aws_secret_access_key={secret!r},
        config=Config(signature_version="s3v4", s3={{"addressing_style": "path"}}))
    client.create_bucket(Bucket="files")
    return S3Store(client, http, "files")
"""
GCS = """
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from kops_assets_provider.files.gcs import GCSStore
def make_store(http):
    client = Client(project="test", credentials=AnonymousCredentials(),
        client_options={{"api_endpoint": {url!r}}})
    return GCSStore(client, http, "files")
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Serve a small file and a large one; return the server's URL and both hashes."""
    directory = tmp_path_factory.mktemp("files")
    block = os.urandom(1 << 20)
    hasher = hashlib.sha256()
    (directory / "small").write_bytes(block)
    with (directory / "large").open("wb") as file:
        for _ in range(SIZE // len(block)):
            file.write(block)
            hasher.update(block)
    with FileServer(directory) as server:
        yield [server.url, hashlib.sha256(block).hexdigest(), hasher.hexdigest()]


def growth(setup, files):
    """Copy in a process of its own; return by how many bytes its peak memory grew."""
    command = [sys.executable, "-c", COPY.format(setup=setup), *files]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # In KiB, but on macOS in bytes.
    return int(result.stdout) * (1 if sys.platform == "darwin" else 1024)


def test_to_a_directory(files, tmp_path):
    """200 MB to a directory take less than 64 MB."""
    assert growth(DIRECTORY.format(root=str(tmp_path)), files) < LIMIT


@pytest.mark.component
def test_to_s3(files, tmp_path):
    """200 MB to S3 take less than 64 MB."""
    with seaweedfs(tmp_path) as server:
        setup = S3.format(url=server.url, access=server.access_key, secret=server.secret_key)
        assert growth(setup, files) < LIMIT


def test_to_gcs(files, tmp_path):
    """200 MB to Google Cloud Storage take less than 64 MB."""
    with gcs_emulator(tmp_path, bucket="files") as server:
        assert growth(GCS.format(url=server.url), files) < LIMIT
