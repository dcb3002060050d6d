"""Memory: a file is never in it as a whole, however large, and all of a copy takes little."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

from tests.support.components import gcs_emulator, seaweedfs
from tests.support.file_server import FileServer
from tests.support.gcs_server import GCSServer
from tests.support.s3_server import S3Server

SIZE = 200 << 20  # bytes
LIMIT = 64 << 20  # above a Python that does nothing: imports, SDKs, connections and buffers
GROWTH = 8 << 20  # from a file of 1 MiB to one of 200

PEAK = """
import pathlib, resource, sys

def peak():
    "Return the peak in KiB. What getrusage tells on Linux begins at the size of the parent."
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(status.read_text().partition("VmHWM:")[2].split()[0])
"""
COPY = """
{setup}
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.client import HttpClient

http = HttpClient()
store = make_store(http)
url, small, large = sys.argv[1:]
copy_file(HttpFileSource(http), [url + "/small"], store, "small", small)
before = peak()
copied = copy_file(HttpFileSource(http), [url + "/large"], store, "large", large)
assert copied.copied
print(before, peak())
"""
MEMORY = """
from tests.support.memory_files import MemoryStore
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


def run(code, *arguments):
    """Run code in a process of its own; return the numbers of KiB that it printed, in bytes."""
    command = [sys.executable, "-c", PEAK + code, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [int(x) * 1024 for x in result.stdout.split()]


def check_memory(setup, files):
    """Copy a small file and a large one; hold the peaks to the limits."""
    (bare,) = run("print(peak())")
    small, large = run(COPY.format(setup=setup), *files)
    assert large - bare < LIMIT
    assert large - small < GROWTH


def test_a_whole_file_would_be_noticed(files):
    """The measure works: a store that keeps files in memory takes what they have."""
    with pytest.raises(AssertionError):
        check_memory(MEMORY, files)


def test_to_a_directory(files, tmp_path):
    """200 MB to a directory."""
    check_memory(DIRECTORY.format(root=str(tmp_path)), files)


@pytest.mark.component
def test_to_s3(files, tmp_path):
    """200 MB to S3."""
    with seaweedfs(tmp_path) as server:
        setup = S3.format(url=server.url, access=server.access_key, secret=server.secret_key)
        check_memory(setup, files)


def test_to_gcs(files, tmp_path):
    """200 MB to Google Cloud Storage, whose client takes most of it."""
    with gcs_emulator(tmp_path, bucket="files") as server:
        check_memory(GCS.format(url=server.url), files)


COMMAND = """
import contextlib, io
from kops_assets_provider.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    status = main(sys.argv[1:])
assert status == 0
print(peak())
"""


@pytest.mark.parametrize("server", [S3Server, GCSServer])
def test_the_command_with_four_files_at_a_time(server, tmp_path, monkeypatch):
    """All of it together, list, record and report included."""
    raw = os.urandom(1 << 20) * 20
    names = [str(n) for n in range(4)]
    with FileServer({f"/{x}": raw for x in names}) as source, server(["files"]) as target:
        place = f"{'s3' if server is S3Server else 'gs'}://files"
        assets = [
            {
                "canonical": f"{source.url}/{x}",
                "download": f"https://files.example.com/{x}",
                "sha": hashlib.sha256(raw).hexdigest(),
            }
            for x in names
        ]
        (tmp_path / "list.json").write_text(json.dumps({"images": [], "files": assets}))
        for name in ("AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST"):
            monkeypatch.setenv(name, target.url)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            monkeypatch.setenv(name, "us-east-1")
        (bare,) = run("print(peak())")
        (peak,) = run(
            COMMAND,
            *("copy", "--quiet", "--from", str(tmp_path / "list.json"), "--name", "c"),
            *("--kops-version", "1.36.2", "--record-url", f"{place}/records"),
            *("--file-target", f"https://files.example.com={place}"),
        )
        assert {x for x in target.buckets["files"].objects if "." not in x} == set(names)
    assert peak - bare < LIMIT
