"""Google Cloud Storage: the session on the wire, and how failures are told."""

from __future__ import annotations

import gc
import hashlib
import traceback
from contextlib import suppress

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
from google.cloud.storage import Client

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    KopsAssetsError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    StoppedError,
    TransientError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.gcs import GCSStore
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.places.state.gcs import GCSStateStore
from tests.support.gcs_server import GCSServer
from tests.support.messages import Fault
from tests.waits import wait_for

RAW = b"0123456789" * 300_000
SHA = hashlib.sha256(RAW).hexdigest()
MD5 = hashlib.md5(RAW, usedforsecurity=False).hexdigest()
BLOCK = 256 << 10


@pytest.fixture
def server():
    with GCSServer() as running:
        yield running


@pytest.fixture
def client(server):
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def store(client, http):
    return GCSStore(client, http, "files")


def objects(server):
    """Return bytes and metadata of all objects, by their names."""
    return {x.name: (x.data, x.metadata) for x in server.buckets["files"].objects.values()}


def sent(server, method):
    """Return the one request with that method; Google's client asks for more than we do."""
    # What a client breaks off may be over for it before the server has looked.
    wait_for(lambda: server.count(method))
    (request,) = [r for r in server.requests if r.method == method]
    return request


def content(raw=RAW, on_chunk=None):
    chunks = [raw[i : i + 1_000_000] for i in range(0, len(raw), 1_000_000)]
    return Content(name="test", chunks=chunks, size=len(RAW), sha=SHA, on_chunk=on_chunk)


def test_a_file_is_one_session_with_two_puts(server, store):
    """The hash goes into the object's metadata, and the end comes with the CRC32C of all of it."""
    store.write("a/b", content(), new=True)
    assert objects(server) == {"a/b": (RAW, {"kops-assets-sha256": SHA})}
    begin, puts = sent(server, "POST"), [r for r in server.requests if r.method == "PUT"]
    assert begin.headers["x-upload-content-length"] == str(len(RAW))
    assert "ifGenerationMatch=0" in begin.query
    size, cut = len(RAW), len(RAW) // BLOCK * BLOCK
    assert [x.headers["Content-Range"] for x in puts] == [
        f"bytes 0-{cut - 1}/{size}",
        f"bytes {cut}-{size - 1}/{size}",
    ]
    assert [x.headers["Content-Length"] for x in puts] == [str(cut), str(size - cut)]
    crc32c = server.buckets["files"].objects["a/b"].crc32c
    assert [x.headers.get("X-Goog-Hash") for x in puts] == [None, f"crc32c={crc32c}"]
    assert all("Transfer-Encoding" not in x.headers for x in puts)
    assert server.cancelled == []


@pytest.mark.parametrize(
    ("size", "puts"),
    [(0, 1), (1, 1), (BLOCK, 1), (BLOCK + 1, 2), (2 * BLOCK, 2), (2 * BLOCK + 1, 2)],
)
def test_a_small_file_is_one_put(server, store, size, puts):
    """All but the end is a multiple of 256 KiB, and there is always an end."""
    store.write("a", Content.of("test", RAW[:size]))
    assert objects(server)["a"][0] == RAW[:size]
    assert server.count("PUT") == puts


@pytest.mark.parametrize("size", [BLOCK, len(RAW)])
def test_bytes_damaged_on_the_way(server, client, size):
    """Our own hash was right, Google's was not: nothing is stored, and the target is to blame."""

    class Damaging(HttpClient):
        """Stands for whatever changes bytes between us and them."""

        def request(self, method, url, *, body=None, **options):
            if body is not None:
                body = (chunk.replace(b"7", b"8") for chunk in body)
            return super().request(method, url, body=body, **options)

    store = GCSStore(client, Damaging(), "files")
    with pytest.raises(ChecksumMismatchError, match="other bytes arrived; nothing was") as error:
        store.write("a", Content.of("test", RAW[:size]))
    assert error.value.side is Side.TARGET
    assert objects(server) == {}


def test_an_end_that_is_refused(server, store):
    """What Google refuses for another reason is no damage."""
    server.inject(Fault("PUT", skip=1, status=400, body=b"bad request"))
    with pytest.raises(RequestRejectedError, match="refused the end"):
        store.write("a", content())
    assert server.cancelled == ["session-0"]


def test_a_session_that_loses_bytes(server, store):
    """Google may keep less than it was sent: a later try begins anew."""
    headers = {"Range": f"bytes=0-{BLOCK - 1}"}
    server.inject(Fault("PUT", status=308, headers=headers))
    with pytest.raises(ServerFailedError, match=f"it has bytes=0-{BLOCK - 1} of the first"):
        store.write("a", content())
    assert server.cancelled == ["session-0"]


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
    puts = [r for r in server.requests if r.method == "PUT"]
    assert [x.headers.get("Authorization") for x in puts] == [None, None]


def test_replacing_has_no_condition(server, store):
    """Where something is that has to be replaced, no condition stands in the way."""
    store.write("a", content())
    assert "ifGenerationMatch" not in sent(server, "POST").query


def test_stat_knows_the_hash(store):
    """What the session recorded is known by one look, without reading."""
    store.write("a", content())
    assert store.stat("a") == StoredFile(size=len(RAW), sha=SHA, version=MD5)


@pytest.mark.parametrize("metadata", [{}, {"kops-assets-sha256": "x"}, {"other": SHA}])
def test_a_hash_of_somebody_else_does_not_count(server, store, metadata):
    """Metadata that is not a hash of ours says nothing."""
    server.put("files", "a", RAW, metadata=metadata)
    assert store.stat("a") == StoredFile(size=len(RAW), sha=None, version=MD5)


def test_a_composed_object_has_another_version(server, store):
    """Google has no MD5 of it; its generation changes with every write."""
    stored = server.put("files", "a", RAW, component_count=2)
    assert store.stat("a").version == f"{stored.generation}/{stored.crc32c}"


@pytest.mark.parametrize("wrong", [RAW[:-1] + b"!", RAW[:-1], RAW + b"!"])
def test_a_session_of_wrong_bytes_is_cancelled(server, store, wrong):
    """Wrong bytes: the last of them are not sent, and what was sent is thrown away."""
    with pytest.raises(ChecksumMismatchError):
        store.write("a", content(wrong))
    assert sent(server, "PUT").received_bytes < len(RAW)
    assert objects(server) == {}
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
    server.put("files", "a", b"other", metadata={"kops-assets-sha256": "0" * 64})
    with pytest.raises(TransientError, match="gs://files/a: another writer was first"):
        store.write("a", content(), new=True)
    assert objects(server)["a"][0] == b"other"


def test_a_condition_can_fail_at_once(server, store):
    """Google may say so when the session is opened, too."""
    store.write("a", content(), new=True)
    server.inject(Fault("POST", status=412))
    store.write("a", content(), new=True)


def test_a_session_that_does_not_end(server, store):
    """308 says that bytes are missing: a later try begins anew."""
    server.inject(Fault("PUT", skip=1, status=308))
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
    if (method, status) == ("PUT", 404):
        error = ServerFailedError  # a session that is gone is begun anew
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
        "; gs://files/a: the Google credentials need storage.objects.create, "
        "and storage.objects.delete to replace what is there"
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


DEEP = b"[" * 60_000
MALFORMED = [b"", b"[]", b"{", b"null", b"5", b"\xff", DEEP, '{"name":"a"}'.encode("utf-16")]
MALFORMED += [b'{"size":"x"}', b'{"size":"' + b"9" * 5000 + b'"}', b'{"size":1e999}']
MALFORMED += [b'{"md5Hash":"\xc3\xa9"}', b'{"md5Hash":"a"}', b'{"md5Hash":5}', b'{"metadata":[5]}']
MALFORMED += [b'{"metadata":{"kops-assets-sha256":5}}', b'{"items":5}', b'{"items":[5]}']
MALFORMED += [b'{"items":[{}]}', b'{"items":[{"name":5}]}', b'{"items":[{"name":"a","size":"x"}]}']
MALFORMED += [b'{"nextPageToken":5}', b'{"prefixes":5}', b'{"error":5}']


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_answer_is_our_error(server, store, client, body, status):
    """Whatever is sent instead of a description, an object's or a bucket's, or for an error."""
    state = GCSStateStore(client, "files")

    def read():
        with store.read("a") as chunks:
            return b"".join(chunks)

    for operation in (
        lambda: store.stat("a"),
        lambda: store.list(["a"]),
        read,
        lambda: store.write("a", content()),
        lambda: state.list(),
        lambda: state.read("a"),
    ):
        server.clear()
        server.inject(Fault(status=status, body=body, times=3))
        with suppress(KopsAssetsError):
            operation()


@pytest.fixture
def swept():
    """Collect the connections that Google's client leaves to the collector."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize(
    "headers",
    [
        {"Location": "x"},
        {"Location": "http://[::1"},
        {"Content-Range": "bytes 0-x/y"},
        {"Content-Range": "bytes 0-5/" + "9" * 5000},
        {"X-Goog-Hash": "md5=\xe9,crc32c"},
        {"Range": "bytes=0-" + "9" * 5000},
    ],
)
@pytest.mark.parametrize("status", [200, 206, 308])
def test_a_malformed_header_is_our_error(server, store, client, headers, status):
    """The headers of ranges, hashes and sessions."""

    def read():
        with store.read("a") as chunks:
            return b"".join(chunks)

    state = GCSStateStore(client, "files")
    for operation in (read, lambda: store.write("a", content()), lambda: state.read("a")):
        server.clear()
        server.inject(Fault(status=status, body=b"x" * 10, headers=headers, times=3))
        with suppress(KopsAssetsError):
            operation()
