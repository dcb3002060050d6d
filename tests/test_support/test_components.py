"""Real servers: they start, do what we need of them, keep their data, and end."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.support import components
from tests.support.components import (
    ComponentFailedError,
    MissingComponentError,
    docker_registry,
    gcs_emulator,
    moto,
    nginx,
    seaweedfs,
)
from tests.support.images import make_image, push_image
from tests.support.processes import accepts_connections

pytestmark = pytest.mark.component


def children():
    """Return the ids of this process's children."""
    command = ["ps", "--ppid", str(os.getpid()), "-o", "pid=,comm="]
    listing = subprocess.run(command, capture_output=True, text=True).stdout
    lines = [line.split(maxsplit=1) for line in listing.splitlines()]
    return {int(pid) for pid, name in lines if name.strip() != "ps"}


@pytest.mark.parametrize("name", ["docker_registry", "nginx", "moto", "gcs_emulator", "seaweedfs"])
def test_server_is_on_loopback_and_nothing_is_left(name, tmp_path, listeners):
    """A server listens on loopback only, and is gone when its block ends by an exception."""
    before = children()

    def fail():
        with getattr(components, name)(tmp_path) as server:
            addresses = listeners(children() - before)
            assert f"127.0.0.1:{server.port}" in addresses
            assert {address.split(":")[0] for address in addresses} == {"127.0.0.1"}
            raise RuntimeError(server.port)

    with pytest.raises(RuntimeError) as error:
        fail()
    assert not accepts_connections(error.value.args[0])
    assert children() == before


def test_registry_content_survives_a_restart(tmp_path):
    """The registry's content is in its directory."""
    image = make_image()
    with docker_registry(tmp_path) as server:
        push_image(server.url, "app", "1", image)
    with docker_registry(tmp_path) as server:
        request = urllib.request.Request(f"{server.url}/v2/app/manifests/1")
        request.add_header("Accept", image.top.media_type)
        with urllib.request.urlopen(request) as response:
            assert response.read() == image.top.data


def test_registry_with_credentials(tmp_path):
    """With credentials, a request without them is 401."""
    with docker_registry(tmp_path, credentials=("user", "secret")) as server:
        push_image(server.url, "app", "1", make_image(), ("user", "secret"))
        with pytest.raises(HTTPError, match="401") as error:
            push_image(server.url, "app", "1", make_image(), ("user", "wrong"))
        error.value.close()


def test_pull_through_registry(tmp_path):
    """A registry can be a cache for another one, and then refuses pushes."""
    with (
        docker_registry(tmp_path / "upstream") as upstream,
        docker_registry(tmp_path / "cache", proxied_url=upstream.url) as cache,
    ):
        image = make_image()
        push_image(upstream.url, "app", "1", image)
        digest = next(iter(image.blobs))
        with urllib.request.urlopen(f"{cache.url}/v2/app/blobs/{digest}") as response:
            assert response.read() == image.blobs[digest]
        with pytest.raises(HTTPError, match="405") as error:
            push_image(cache.url, "app", "2", make_image("other"))
        error.value.close()
        assert any(digest in request.path for request in upstream.requests())


def test_seaweedfs_checks_what_it_is_sent(tmp_path):
    """A wrong checksum, a wrong key, and a second creation are refused, and nothing is stored."""
    from botocore.exceptions import ClientError

    data = b"content" * 10_000
    right = base64.b64encode(hashlib.sha256(data).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    with seaweedfs(tmp_path) as server:
        s3 = server.client()
        s3.create_bucket(Bucket="demo")
        with pytest.raises(ClientError, match="BadDigest"):
            s3.put_object(Bucket="demo", Key="a", Body=data, ChecksumSHA256=wrong)
        s3.put_object(Bucket="demo", Key="a", Body=data, ChecksumSHA256=right, IfNoneMatch="*")
        head = s3.head_object(Bucket="demo", Key="a", ChecksumMode="ENABLED")
        assert (head["ContentLength"], head["ChecksumSHA256"]) == (len(data), right)
        with pytest.raises(ClientError, match="PreconditionFailed"):
            s3.put_object(Bucket="demo", Key="a", Body=b"new", IfNoneMatch="*")
        with pytest.raises(HTTPError, match="403") as error:
            urllib.request.urlopen(f"{server.url}/demo/a")
        error.value.close()
        s3.close()


def test_seaweedfs_keeps_what_it_acknowledged(tmp_path):
    """Objects are there after the server was killed and started again; who may read does so."""
    data = os.urandom(3_000_000)
    with seaweedfs(tmp_path, anonymous_read=True) as server:
        s3 = server.client()
        s3.create_bucket(Bucket="demo")
        s3.put_object(Bucket="demo", Key="dir/early", Body=data)
        s3.put_object(Bucket="demo", Key="dir/late", Body=data)
        s3.close()
    with seaweedfs(tmp_path, anonymous_read=True) as server:
        for key in ("early", "late"):
            with urllib.request.urlopen(f"{server.url}/demo/dir/{key}") as response:
                assert response.read() == data
        request = urllib.request.Request(f"{server.url}/demo/new", b"x", method="PUT")
        with pytest.raises(HTTPError, match="403") as error:
            urllib.request.urlopen(request)
        error.value.close()
        s3 = server.client()
        names = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        # On a busy machine the bucket that the launcher tries the server with may come late.
        assert names - {"readiness"} == {"demo"}
        s3.close()
    assert not list(Path("/tmp").glob(f"seaweedfs-*-grpc-{server.port + 10_000}.sock"))


def test_moto(tmp_path):
    """moto stores objects, and says which requests it got."""
    with moto(tmp_path) as server:
        s3 = server.client()
        s3.create_bucket(Bucket="demo")
        s3.put_object(Bucket="demo", Key="a", Body=b"content")
        assert s3.get_object(Bucket="demo", Key="a")["Body"].read() == b"content"
        assert "/demo/a" in {request.path for request in server.requests()}
        s3.close()


def test_gcs_emulator(tmp_path):
    """The emulator has the bucket that was asked for."""
    with (
        gcs_emulator(tmp_path, bucket="mine") as server,
        urllib.request.urlopen(f"{server.url}/storage/v1/b/mine") as response,
    ):
        assert response.status == 200


def test_missing_program_says_how_to_install_it(tmp_path, monkeypatch):
    """Without the program, the error names it and the package."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with (
        pytest.raises(MissingComponentError, match="apt-get install docker-registry"),
        docker_registry(tmp_path),
    ):
        pass


def test_server_that_does_not_start_shows_its_log(tmp_path):
    """The error quotes the log of a server that ended at once."""
    with (
        pytest.raises(ComponentFailedError, match="unknown directive"),
        nginx(tmp_path, server_directives="no_such_thing on;"),
    ):
        pass
