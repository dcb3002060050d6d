"""Google Cloud Storage: the session on the wire, and how failures are told."""

from __future__ import annotations

import hashlib
import json
import traceback

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.cloud.storage import Client

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    NotFoundError,
    RateLimitedError,
    ServerFailedError,
    Side,
    StoppedError,
    TransientError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.testing.http_server import HttpServer, Response
from kops_assets_provider.testing.messages import Fault

RAW = b"0123456789" * 300_000
SHA = hashlib.sha256(RAW).hexdigest()


class FakeGCS(HttpServer):
    """
    Opens sessions and finishes them, with what the emulator lacks: conditions and cancelling.

    https://docs.cloud.google.com/storage/docs/performing-resumable-uploads
    """

    def __init__(self):
        super().__init__()
        self.objects = {}
        self.sessions = {}
        self.cancelled = []

    def answer(self, request):
        session = request.params.get("upload_id")
        if request.method == "POST":
            return self.open_session(request)
        if request.method == "PUT":
            body = request.body.read()
            name, metadata, new = self.sessions.pop(session)
            if new and name in self.objects:
                return Response(412)
            self.objects[name] = (body, metadata)
            return Response(200, {}, b"{}")
        if request.method == "DELETE":
            self.cancelled.append(session)
            return Response(499)
        return self.describe(request.path.rpartition("/o/")[2])

    def open_session(self, request):
        description = json.loads(request.body.read())
        new = request.params.get("ifGenerationMatch") == "0"
        session = f"session-{len(self.sessions)}"
        self.sessions[session] = (description["name"], description["metadata"], new)
        return Response(200, {"Location": f"{self.url}/upload?upload_id={session}"})

    def describe(self, name):
        if name not in self.objects:
            return Response(404, {}, b"{}")
        body, metadata = self.objects[name]
        text = json.dumps({"name": name, "size": str(len(body)), "metadata": metadata})
        return Response(200, {"Content-Type": "application/json"}, text.encode())


@pytest.fixture
def server():
    with FakeGCS() as running:
        yield running


@pytest.fixture
def client(server):
    client = Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": server.url},
    )
    yield client
    client.close()


@pytest.fixture
def store(client, http):
    return GCSStore(client, http, "files")


def sent(server, method):
    """Return the one request with that method; Google's client asks for more than we do."""
    (request,) = [r for r in server.requests if r.method == method]
    return request


def content(raw=RAW, on_chunk=None):
    chunks = [raw[i : i + 1_000_000] for i in range(0, len(raw), 1_000_000)]
    return Content("test", chunks, len(RAW), SHA, on_chunk)


def test_a_file_is_one_session_with_one_put(server, store):
    """The hash goes into the object's metadata by the session that makes the object."""
    store.write("a/b", content(), new=True)
    assert server.objects == {"a/b": (RAW, {"kops-assets-sha256": SHA})}
    begin, put = sent(server, "POST"), sent(server, "PUT")
    assert begin.headers["x-upload-content-length"] == str(len(RAW))
    assert "ifGenerationMatch=0" in begin.query
    assert put.headers["Content-Length"] == str(len(RAW))
    assert put.headers["Content-Range"] == f"bytes 0-{len(RAW) - 1}/{len(RAW)}"
    assert "Transfer-Encoding" not in put.headers
    assert server.cancelled == []


def test_the_session_s_url_needs_no_credentials(server, client, http):
    """A token goes to Google's API, not to the URL that an answer of it named."""

    class Credentials(AnonymousCredentials):
        def apply(self, headers, token=None):
            headers["Authorization"] = "Bearer secret"

        def before_request(self, request, method, url, headers):
            self.apply(headers)

    client._credentials = Credentials()
    GCSStore(client, http, "files").write("a", content())
    assert sent(server, "POST").headers["Authorization"] == "Bearer secret"
    assert "Authorization" not in sent(server, "PUT").headers


def test_replacing_has_no_condition(server, store):
    """Where something is that has to be replaced, no condition stands in the way."""
    store.write("a", content())
    assert "ifGenerationMatch" not in sent(server, "POST").query


def test_stat_knows_the_hash(store):
    """What the session recorded is known by one look, without reading."""
    store.write("a", content())
    assert store.stat("a") == StoredFile(len(RAW), SHA)


@pytest.mark.parametrize("metadata", [{}, {"kops-assets-sha256": "x"}, {"other": SHA}])
def test_a_hash_of_somebody_else_does_not_count(server, store, metadata):
    """Metadata that is not a hash of ours says nothing."""
    server.objects["a"] = (RAW, metadata)
    assert store.stat("a") == StoredFile(len(RAW), None)


@pytest.mark.parametrize("wrong", [RAW[:-1] + b"!", RAW[:-1], RAW + b"!"])
def test_a_session_of_wrong_bytes_is_cancelled(server, store, wrong):
    """Wrong bytes: the last of them are not sent, and what was sent is thrown away."""
    with pytest.raises(ChecksumMismatchError):
        store.write("a", content(wrong))
    assert sent(server, "PUT").received_bytes < len(RAW)
    assert server.objects == {}
    assert server.cancelled == ["session-0"]


def test_a_session_is_cancelled_when_the_copy_is_stopped(server, store):
    """Whatever ends an upload, nothing of it stays."""

    def stop(_):
        raise StoppedError("told to stop")

    with pytest.raises(StoppedError):
        store.write("a", content(on_chunk=stop))
    assert server.cancelled == ["session-0"]


@pytest.mark.parametrize("cancelling", [Fault("DELETE", close=True), Fault("DELETE", status=500)])
def test_a_failed_cancelling_does_not_hide_the_reason(server, store, cancelling):
    """The error that is told is the first one."""
    server.inject(cancelling)
    with pytest.raises(ChecksumMismatchError):
        store.write("a", content(RAW[:-1]))


def test_another_writer(server, store):
    """Another writer was first: the same file is fine, another one takes another try."""
    store.write("a", content(), new=True)
    store.write("a", content(), new=True)
    server.objects["a"] = (b"other", {"kops-assets-sha256": "0" * 64})
    with pytest.raises(TransientError, match="gs://files/a: another writer was first"):
        store.write("a", content(), new=True)
    assert server.objects["a"][0] == b"other"


def test_a_condition_can_fail_at_once(server, store):
    """Google may say so when the session is opened, too."""
    store.write("a", content(), new=True)
    server.inject(Fault("POST", status=412))
    store.write("a", content(), new=True)


def test_a_session_that_does_not_end(server, store):
    """308 says that bytes are missing: a later try begins anew."""
    server.inject(Fault("PUT", status=308))
    with pytest.raises(ServerFailedError, match="without all"):
        store.write("a", content())
    assert server.cancelled == ["session-0"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, AccessDeniedError),
        (403, AccessDeniedError),
        (404, NotFoundError),
        (429, RateLimitedError),
        (500, ServerFailedError),
        (503, ServerFailedError),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_refusals_are_told(server, store, status, error, method):
    """A refusal at any step has its kind and is the target's; a failed look is not "absent"."""
    server.inject(Fault(method, status=status, times=None))
    if method == "GET":
        if status == 404:
            assert store.stat("a") is None
            return
        with pytest.raises(error) as raised:
            store.stat("a")
    else:
        with pytest.raises(error) as raised:
            store.write("a", content())
    assert raised.value.side is Side.TARGET


def test_a_refusal_says_where_and_what_to_do(server, store):
    """The message has the object, and the right that is needed."""
    server.inject(Fault("POST", status=403))
    with pytest.raises(AccessDeniedError) as error:
        store.write("a", content())
    assert "answered 403" in str(error.value)
    assert str(error.value).endswith(
        "; gs://files/a: the Google connection needs storage.objects.create"
    )


@pytest.mark.parametrize("fault", [Fault("PUT", close=True), Fault("PUT", status=403)])
def test_a_session_s_url_is_never_told(server, store, fault):
    """Whoever has the URL may write: not even a traceback has it."""
    server.inject(fault)
    with pytest.raises((AccessDeniedError, TransientError)) as error:
        store.write("a", content())
    assert "upload_id" not in "".join(traceback.format_exception(error.value))


def test_no_connection(http):
    """Nobody listens: a failure that may pass, at once."""
    client = Client(
        project="test",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": "http://127.0.0.1:9"},
    )
    store = GCSStore(client, http, "files")
    for attempt in (lambda: store.stat("a"), lambda: store.write("a", content())):
        with pytest.raises(ConnectionFailedError, match="gs://files/a") as error:
            attempt()
        assert error.value.side is Side.TARGET
    with pytest.raises(ConnectionFailedError), store.read("a") as chunks:
        next(chunks)
    client.close()


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (TransportError("secret"), ConnectionFailedError),
        (RefreshError("secret"), AccessDeniedError),
        (DefaultCredentialsError("secret"), AccessDeniedError),
    ],
)
def test_credentials_that_cannot_be_had(client, http, raised, error):
    """What google-auth raises is told by kind, not in its words."""

    class Credentials(AnonymousCredentials):
        def before_request(self, *_):
            raise raised

    client._credentials = Credentials()
    with pytest.raises(error) as told:
        GCSStore(client, http, "files").stat("a")
    assert told.value.side is Side.TARGET
    assert "secret" not in str(told.value)
