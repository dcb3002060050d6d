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
import pathlib, resource, sys
{setup}
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.client import HttpClient

def peak():
    "Return the peak in KiB. What getrusage tells on Linux begins at the size of the parent."
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.read_text().partition("VmHWM:")[2].split()[0])

http = HttpClient()
store = make_store(http)
url, small, large = sys.argv[1:]
# A small file first: imports and pools are not what is measured.
copy_file(HttpFileSource(http), [url + "/small"], store, "small", small)
before = peak()
copied = copy_file(HttpFileSource(http), [url + "/large"], store, "large", large)
assert copied.copied
print(peak() - before)
"""
MEMORY = """
from kops_assets_provider.files.memory import MemoryStore
def make_store(http): return MemoryStore()
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
    return int(result.stdout) * 1024


def test_a_whole_file_would_be_noticed(files):
    """The measure works: a store that keeps files in memory takes what they have."""
    assert growth(MEMORY, files) > SIZE


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
