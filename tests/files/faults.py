"""
What tests of broken copies share: places for files, and a wire before them that breaks.

A place is read and written behind the back of the store that is tested.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

from google.api_core.exceptions import NotFound

from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.http.client import HttpClient
from tests.support.component import S3Component
from tests.support.components import gcs_emulator, seaweedfs
from tests.support.gcs_server import GCSServer
from tests.support.messages import Fault
from tests.support.s3_server import S3Server

BUCKET = "files"
# Google's client asks for the bucket, too, now and then.
REQUEST = re.compile(rb"(GET|HEAD|PUT|POST|DELETE) (?!/storage/v1/b/[^/]*\?)")


def sha256(raw):
    return hashlib.sha256(raw).hexdigest()


def always(method=None, path="", **options):
    return Fault(method, path, times=None, **options)


@cache
def http_client(**limits):
    # To read the system's authorities takes longer than most copies here.
    return HttpClient(**limits)


def google_client(port):
    """Return a Google client for what listens on a port, to be closed by the caller."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    return Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{port}"},
    )


class Place:
    """Where files go. In a ``with`` block, since it has clients to close."""

    first_writer_wins = False
    """Whether it takes the first of two new files for one path, and refuses the other."""

    def __enter__(self):
        self._stack = ExitStack()
        # Making one takes longer than most copies here.
        self._clients = cache(lambda port: self._closing(self.client(port)))
        return self

    def __exit__(self, *error):
        self._stack.close()

    def names(self):
        """Return what messages may call it."""
        return [self.url, f"127.0.0.1:{self.port}"]

    def _closing(self, client):
        self._stack.callback(client.close)
        return client


class BucketPlace(Place):
    """A bucket. A port, where a store is asked for, is that of a proxy before it."""

    def store(self, http, port=None, *, bucket=BUCKET, **options):
        kind = S3Store if self.speaks_s3 else GCSStore
        return kind(self._clients(port or self.port), http, bucket, **options)

    @property
    def speaks_s3(self):
        return self.url.startswith("s3://")


class RealPlace(BucketPlace):
    """A bucket of a server that runs by itself."""

    def __init__(self, component):
        self.component, self.port = component, component.port


class SeaweedPlace(RealPlace):
    first_writer_wins = True
    url = f"s3://{BUCKET}/"

    def __enter__(self):
        super().__enter__()
        self._own = self._clients(self.port)
        return self

    def client(self, port):
        return replace(self.component, port=port).client()

    def get(self, path):
        with suppress(self._own.exceptions.NoSuchKey):
            return self._own.get_object(Bucket=BUCKET, Key=path)["Body"].read()

    def put(self, path, raw):
        self._own.put_object(Bucket=BUCKET, Key=path, Body=raw)


class EmulatorPlace(RealPlace):
    url = f"gs://{BUCKET}/"

    def __enter__(self):
        super().__enter__()
        self._own = self._clients(self.port).bucket(BUCKET)
        return self

    def client(self, port):
        return google_client(port)

    def get(self, path):
        with suppress(NotFound):
            return self._own.blob(path).download_as_bytes()

    def put(self, path, raw):
        self._own.blob(path).upload_from_string(raw)


class ServerPlace(BucketPlace):
    """A bucket of a server in this process, which can have faults."""

    first_writer_wins = True

    def __init__(self, server):
        self.server, self.port = server, int(server.host.rpartition(":")[2])
        self.url = f"{'s3' if isinstance(server, S3Server) else 'gs'}://{BUCKET}/"

    def client(self, port):
        if self.speaks_s3:
            return S3Component(port, Path(os.devnull)).client()
        return google_client(port)

    def get(self, path):
        found = self.server.buckets[BUCKET].objects.get(path)
        return found and found.data

    def put(self, path, raw):
        self.server.put(BUCKET, path, raw)

    def asked(self):
        """Return the methods of the requests for objects, in order."""
        lines = [f"{x.method} {x.target}".encode() for x in self.server.requests]
        return [found[1].decode() for found in map(REQUEST.match, lines) if found]


class DirectoryPlace(Place):
    def __init__(self, root):
        self.root = root
        self.url = f"file://{root}/"

    def names(self):
        return [self.url]

    def store(self, http):
        return DirectoryStore(self.root)

    def get(self, path):
        file = self.root / path
        return file.read_bytes() if file.exists() else None

    def put(self, path, raw):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)


class Wire:
    """
    A watch for a ``TcpProxy``: which requests pass, and what of the uploads.

    Its subclasses break it, once, in ``fault``.
    """

    def __init__(self):
        self.asked = []
        self.uploaded = 0
        self.is_broken = False

    def __call__(self, data, from_client):
        if from_client:
            if found := REQUEST.match(data):
                self.asked.append(found[1].decode())
            if "PUT" in self.asked:
                self.uploaded += len(data)
        return None if self.is_broken else self.fault(data, from_client)

    def fault(self, data, from_client):
        """Return how much of a piece still passes, None for all of it."""
        return


class Cut(Wire):
    """Cuts the connection when so many bytes of an upload have passed."""

    def __init__(self, after):
        super().__init__()
        self.after = after

    def fault(self, data, from_client):
        if not from_client or "PUT" not in self.asked or self.uploaded < self.after:
            return None
        self.is_broken = True
        return max(0, len(data) - (self.uploaded - self.after))


class Silence(Cut):
    """Passes nothing on from there, until it is told to or so many seconds have passed."""

    def __init__(self, after, seconds=30):
        super().__init__(after)
        self.seconds = seconds
        self.over = threading.Event()

    def fault(self, data, from_client):
        if super().fault(data, from_client) is not None:
            self.over.wait(self.seconds)
        return


class LostAnswer(Wire):
    """Cuts the connection instead of passing on the answer to an upload."""

    def __init__(self, put):
        super().__init__()
        self.put = put

    def fault(self, data, from_client):
        if from_client or self.asked.count("PUT") < self.put:
            return None
        self.is_broken = True
        return 0


@contextmanager
def running_place(kind, directory):
    """Run a place: two real servers, two in this process, or a directory."""
    with ExitStack() as stack:
        if kind == "seaweedfs":
            component = stack.enter_context(seaweedfs(directory))
            with closing(component.client()) as client:
                client.create_bucket(Bucket=BUCKET)
            place = SeaweedPlace(component)
        elif kind == "emulator":
            place = EmulatorPlace(stack.enter_context(gcs_emulator(directory, bucket=BUCKET)))
        elif kind == "directory":
            place = DirectoryPlace(directory)
        else:
            server = {"s3": S3Server, "gcs": GCSServer}[kind]([BUCKET])
            place = ServerPlace(stack.enter_context(server))
        yield stack.enter_context(place)
