"""
A copy of a file that is killed, at any byte: the file is right or as it was; the next copy ends.

A child process copies through a proxy in this one, which counts what passes and kills the child by
SIGKILL when as much has passed as the test says. To a directory nothing passes: there the proxy is
before the source, and the child also kills itself at each of its steps in the file system.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from bisect import bisect_left
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.http.client import HttpClient
from tests.e2e.kill_wire import KillWire
from tests.support.components import seaweedfs
from tests.support.file_server import FileServer
from tests.support.gcs_server import GCSServer
from tests.support.tcp_proxy import TcpProxy

RAW = random.Random(5).randbytes(1_500_000)
OLD = random.Random(6).randbytes(700_000)
SHA, OLD_SHA = (hashlib.sha256(x).hexdigest() for x in (RAW, OLD))
FILE, SIDECAR, STEPS = "file", "side-car", "steps"
ROOT = Path(__file__).parents[2]
# Google's client asks for the bucket's description beside all else, earlier or later.
QUIET = {"DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true"}
CHILD = """
import sys
from tests.e2e.test_kill_files import copy_in_child
copy_in_child(*sys.argv[1:])
"""


def copy_in_child(kind, place, source, path, last_step):
    """Copy one file; at the ``last_step``-th step in the directory, if not 0, die."""
    store = STORES[kind](place)
    if int(last_step):
        sys.addaudithook(_Death(place, int(last_step)))
    copy_file(HttpFileSource(HttpClient()), [f"{source}/file"], store, path, SHA)


class _Death:
    def __init__(self, place, last_step):
        self.place, self.left = place, last_step

    def __call__(self, event, arguments):
        if event.startswith(("open", "os.")) and self.place in str(arguments):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def s3_client(url):
    import boto3

    from kops_assets_provider.files.s3_requests import signing_config

    keys = {"aws_access_key_id": "kopsassetstesting"}
    keys["aws_secret_access_key"] = "kops-assets-testing-secret"
    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", config=signing_config(), **keys
    )


def gcs_client(url):
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    return Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": url},
    )


STORES = {
    "s3": lambda url: S3Store(s3_client(url), HttpClient(), "files"),
    "gcs": lambda url: GCSStore(gcs_client(url), HttpClient(), "files"),
    "directory": DirectoryStore,
}


class BehindProxy(GCSServer):
    """Names its sessions as seen through the proxy, or their bytes would pass it by."""

    seen_as = None

    @property
    def url(self):
        return self.seen_as or super().url


class Wire(KillWire):
    """Until the side-car comes, and since."""

    first, second = FILE, SIDECAR
    uploads = 0

    def begins_second(self, data):
        # Google's client names the object in a body, which may come in a piece of its own.
        line = data.partition(b"\r\n")[0]
        self.uploads += line.startswith(b"POST /upload/")
        return b".sha256" in line or self.uploads == 2


@dataclass
class World:
    """A source, a store of a kind, and where the proxy stands."""

    kind: str
    source: FileServer
    place: str
    port: int
    target: object = None
    sizes: dict = field(default_factory=dict)
    count: int = 0

    @property
    def store(self):
        return STORES[self.kind](self.place)

    def run(self, wire, *, old=False, last_step=0):
        """Copy in a child until the wire or the step ends it; return its exit status and path."""
        self.count += 1
        path = f"bin/{self.count}/kubelet"
        if old:
            self.put(path, OLD)
        with ExitStack() as stack:
            children = []
            proxy = TcpProxy(self.port, wire, on_cut=lambda: children[0].kill())
            stack.enter_context(proxy)
            seen = f"http://{proxy.host}"
            places = (self.place, seen) if self.kind == "directory" else (seen, self.source.url)
            if self.kind == "gcs":
                self.target.seen_as = seen
            command = [sys.executable, "-c", CHILD, self.kind, *places, path, str(last_step)]
            child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **QUIET})
            children.append(stack.enter_context(child))
            return children[0].wait(60), path

    def put(self, path, raw):
        from kops_assets_provider.files.content import Content

        self.store.write(path, Content.of("old", raw))
        self.store.write(
            f"{path}.sha256", Content.of("old", hashlib.sha256(raw).hexdigest().encode())
        )

    def read(self, path):
        if self.store.stat(path) is None:
            return None
        with self.store.read(path) as chunks:
            return b"".join(chunks)

    def measure(self):
        """Let copies finish, to know how many bytes one is at least."""
        found = []
        for old in (False, True):
            wire = Wire()
            status, path = self.run(wire, old=old)
            assert status == 0
            assert self.read(path) == RAW
            found.append(wire.passed)
        self.sizes = {phase: min(x[phase] for x in found) for phase in (FILE, SIDECAR)}
        self.sizes[STEPS] = self.steps() if self.kind == "directory" else 0

    def steps(self):
        """Return how many steps in the file system a copy has."""
        return bisect_left(range(1, 200), True, key=self.ends_before)

    def ends_before(self, step):
        """Tell whether a copy has ended before this step."""
        return self.run(Wire(), last_step=step)[0] == 0


@pytest.fixture(
    scope="module",
    params=[pytest.param("s3", marks=pytest.mark.component), "gcs", "directory"],
)
def world(request, tmp_path_factory):
    with ExitStack() as stack:
        source = stack.enter_context(FileServer({"/file": RAW}))
        if request.param == "s3":
            target = stack.enter_context(seaweedfs(tmp_path_factory.mktemp("seaweedfs")))
            target.client().create_bucket(Bucket="files")
            found = World("s3", source, target.url, target.port, target)
        elif request.param == "gcs":
            target = stack.enter_context(BehindProxy())
            port = int(target.host.rpartition(":")[2])
            found = World("gcs", source, f"http://{target.host}", port, target)
        else:
            directory = str(tmp_path_factory.mktemp("directory"))
            found = World("directory", source, directory, int(source.host.rpartition(":")[2]))
        found.measure()
        yield found


def cases(file, sidecar):
    """Return offsets all over both parts, as fractions, in turn where another file is already."""
    parts = {FILE: file, SIDECAR: sidecar}
    return [
        pytest.param(phase, (n + 0.5) / count, bool(n % 2), id=f"{phase}-{n}")
        for phase, count in parts.items()
        for n in range(count)
    ]


def kill(world, phase, fraction, old):
    """Copy until the end that is meant; return the path."""
    if phase == SIDECAR and world.kind == "directory":
        status, path = world.run(Wire(), old=old, last_step=1 + int(world.sizes[STEPS] * fraction))
    else:
        wire = Wire(phase, max(1, int(world.sizes[phase] * fraction)))
        status, path = world.run(wire, old=old)
        assert wire.is_cut
    assert status == -9
    return path


def check_kill(world, phase, fraction, old):
    path = kill(world, phase, fraction, old)
    if world.kind == "gcs":
        world.target.seen_as = None
    there, sidecar = world.read(path), world.read(f"{path}.sha256")
    assert there in (OLD if old else None, RAW)
    assert sidecar in (OLD_SHA.encode() if old else None, SHA.encode())
    if sidecar == SHA.encode():
        assert there == RAW
    copied = copy_file(
        HttpFileSource(HttpClient()), [f"{world.source.url}/file"], world.store, path, SHA
    )
    assert copied.copied is (there != RAW)
    assert world.read(path) == RAW
    assert world.read(f"{path}.sha256") == SHA.encode()


@pytest.mark.parametrize(("phase", "fraction", "old"), cases(3, 2))
def test_a_killed_copy_leaves_nothing_wrong(world, phase, fraction, old):
    """At a few bytes of the way, two of them between the file and the end of its side-car."""
    check_kill(world, phase, fraction, old)


@pytest.mark.long
@pytest.mark.parametrize(("phase", "fraction", "old"), cases(40, 10))
def test_a_copy_killed_anywhere_leaves_nothing_wrong(world, phase, fraction, old):
    """At many bytes of the way, ten of them between the file and the end of its side-car."""
    check_kill(world, phase, fraction, old)
