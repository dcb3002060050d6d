"""S3: what the contract does not say. What goes over the wire, and how failures are told."""

from __future__ import annotations

import base64
import hashlib
import traceback

import pytest
from botocore import exceptions as boto

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    TransientError,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.s3 import MAX_SIZE, S3Store
from kops_assets_provider.http.client import HttpClient
from tests.support.components import seaweedfs
from tests.support.http_server import HttpServer, Response
from tests.support.messages import Fault

RAW = b"content"
SHA = hashlib.sha256(RAW).hexdigest()
SHA64 = base64.b64encode(bytes.fromhex(SHA)).decode()
BIG = bytes(range(256)) * 20_000


class FakeS3(HttpServer):
    """Answers every request with what it was told to, as S3 would."""

    response = Response(200)

    def answer(self, request):
        request.body.drain()
        return self.response


@pytest.fixture
def fake():
    with FakeS3() as server:
        yield server


@pytest.fixture
def store(fake, http, s3_client):
    return S3Store(s3_client(fake.url), http, "files")


@pytest.fixture(scope="module")
def seaweedfs_server(tmp_path_factory):
    with seaweedfs(tmp_path_factory.mktemp("seaweedfs")) as server:
        server.client().create_bucket(Bucket="files")
        yield server


def md5(raw):
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()


def content(raw=RAW, name="test"):
    return Content.of(name, raw)


def error_body(code):
    return f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()


def test_a_file_is_one_put_with_its_hash_up_front(fake, store):
    """Length and SHA-256 go ahead of the body, and both conditions are signed."""
    store.write("a/b", content(), new=True)
    (request,) = fake.requests
    assert (request.method, request.path, request.received_bytes) == ("PUT", "/files/a/b", 7)
    assert request.headers["Content-Length"] == "7"
    assert "Transfer-Encoding" not in request.headers
    assert request.headers["x-amz-checksum-sha256"] == SHA64
    assert request.headers["If-None-Match"] == "*"
    assert "if-none-match%3Bx-amz-checksum-sha256" in request.query
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in request.query


def test_replacing_has_no_condition(fake, store):
    """Where something is that has to be replaced, no condition stands in the way."""
    store.write("a", content())
    assert "If-None-Match" not in fake.requests[0].headers


@pytest.mark.parametrize("chunks", [[], [b"other b"], [b"other ", b"b"]])
def test_no_put_is_complete_before_its_bytes_are_known_to_be_right(fake, store, chunks):
    """Of wrong content that fits into one chunk not even the headers are sent."""
    size = len(b"".join(chunks))
    with pytest.raises(ChecksumMismatchError):
        store.write("a/b", Content(name="test", chunks=chunks, size=size, sha=SHA))
    assert all(x.received_bytes < int(x.headers["Content-Length"]) for x in fake.requests)
    assert len(chunks) > 1 or fake.requests == []


@pytest.mark.parametrize(
    ("headers", "sha"),
    [
        ({"x-amz-checksum-sha256": SHA64}, SHA),
        ({"x-amz-checksum-sha256": SHA64, "x-amz-checksum-type": "FULL_OBJECT"}, SHA),
        ({"x-amz-checksum-sha256": SHA64, "x-amz-checksum-type": "COMPOSITE"}, None),
        ({"x-amz-checksum-sha256": f"{SHA64}-2"}, None),
        ({"x-amz-checksum-sha256": "AAAA"}, None),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, None),
        ({}, None),
    ],
)
def test_only_the_hash_of_the_whole_object_counts(fake, store, headers, sha):
    """The hash of a multipart object's hashes says nothing about its bytes."""
    fake.response = Response(200, headers, RAW)
    assert store.stat("a") == StoredFile(size=7, sha=sha)
    assert fake.requests[0].headers["x-amz-checksum-mode"] == "ENABLED"


def test_an_object_that_is_too_large(fake, store):
    """More than 5 GiB cannot go by one PUT: told before anything is sent."""
    with pytest.raises(UnsupportedTargetError, match="s3://files/a: 5368709121 bytes"):
        store.write("a", Content(name="test", chunks=[], size=MAX_SIZE + 1, sha=SHA))
    assert fake.requests == []


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", AccessDeniedError),
        (403, "InvalidAccessKeyId", AccessDeniedError),
        (403, "SignatureDoesNotMatch", AccessDeniedError),
        (404, "NoSuchBucket", NotFoundError),
        (400, "EntityTooLarge", RequestRejectedError),
        (429, "TooManyRequests", RateLimitedError),
        (503, "SlowDown", ServerFailedError),
        (500, "InternalError", ServerFailedError),
    ],
)
def test_refusals_are_told(fake, store, status, code, error):
    """A refusal has its kind, names S3's code, and is the target's."""
    fake.response = Response(status, {"Content-Type": "application/xml"}, error_body(code))
    with pytest.raises(error, match=code) as raised:
        store.write("a/b", content())
    assert raised.value.side is Side.TARGET


@pytest.mark.parametrize(
    ("method", "needs"),
    [
        ("HEAD", "s3:GetObject and s3:ListBucket (and kms:Decrypt, if it is encrypted by a key)"),
        (
            "PUT",
            "s3:PutObject (and s3:PutObjectAcl for an ACL, kms:GenerateDataKey for a key)",
        ),
    ],
)
def test_a_refusal_says_where_and_what_to_do(fake, store, method, needs):
    """The message has the object, and the right that is needed."""
    fake.response = Response(403)
    with pytest.raises(AccessDeniedError) as error:
        store.stat("a/b") if method == "HEAD" else store.write("a/b", content())
    assert str(error.value) == (
        f"target {fake.host}: {method} /files/a/b answered 403; "
        f"s3://files/a/b: the AWS credentials need {needs}"
    )


def test_a_missing_bucket_is_told(fake, store):
    """Without the bucket there is nothing to write to: told with the place."""
    fake.response = Response(404, {}, error_body("NoSuchBucket"))
    with pytest.raises(NotFoundError) as error:
        store.write("a", content())
    assert str(error.value) == (
        "target s3://files/a: PUT answered 404 NoSuchBucket; the bucket must be made first"
    )


@pytest.mark.parametrize("status", [301, 307, 400])
@pytest.mark.parametrize("method", ["HEAD", "PUT"])
def test_a_bucket_in_another_region_is_told(fake, store, status, method):
    """A bucket in another region: the message says in which, and what to change."""
    fake.response = Response(status, {"x-amz-bucket-region": "eu-west-1"})
    with pytest.raises(RequestRejectedError, match=r"in eu-west-1, .* us-east-1") as e:
        store.stat("a") if method == "HEAD" else store.write("a", content())
    assert f"s3://files/a: {method} answered {status}" in str(e.value)


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentChecksumMismatch"])
def test_bytes_damaged_on_the_way(fake, store, code):
    """Our own hash was right, S3's was not: the way to the target changed the bytes."""
    fake.response = Response(400, {}, error_body(code))
    with pytest.raises(ChecksumMismatchError, match=f"expected sha256 {SHA}") as error:
        store.write("a", content())
    assert error.value.side is Side.TARGET


@pytest.mark.parametrize("status", [409, 412])
def test_another_writer(fake, store, status):
    """Another writer was first: what is there now decides, and it may take another try."""
    fake.response = Response(
        200, {"x-amz-checksum-sha256": base64.b64encode(b"x" * 32).decode()}, b"other"
    )
    fake.inject(Fault("PUT", status=status))
    with pytest.raises(TransientError, match="s3://files/a: another writer was first"):
        store.write("a", content(), new=True)
    fake.response = Response(200, {"x-amz-checksum-sha256": SHA64}, RAW)
    fake.inject(Fault("PUT", status=status))
    store.write("a", content(), new=True)


def test_no_connection(http, s3_client):
    """Nobody listens: a failure that may pass, told without the signed URL."""
    store = S3Store(s3_client("http://127.0.0.1:9"), http, "files")
    for attempt in (lambda: store.stat("a"), lambda: store.write("a", content())):
        with pytest.raises(ConnectionFailedError, match="Connection refused") as error:
            attempt()
        assert error.value.side is Side.TARGET


@pytest.mark.parametrize("fault", [Fault(close=True), Fault(status=403), Fault(status=500)])
def test_a_signed_url_is_never_told(fake, store, fault):
    """Not even the traceback of a failure has a signature that somebody could use."""
    fake.inject(fault)
    with pytest.raises((AccessDeniedError, TransientError)) as error:
        store.write("a", content())
    text = "".join(traceback.format_exception(error.value))
    assert "X-Amz" not in text
    assert "Signature=" not in text


def test_no_credentials(http):
    """Without credentials nothing is sent, and the message says so."""
    from boto3 import Session
    from botocore.session import Session as BotocoreSession

    core = BotocoreSession()
    core.get_component("credential_provider").providers.clear()
    client = Session(botocore_session=core).client("s3", region_name="us-east-1")
    with pytest.raises(AccessDeniedError, match="NoCredentialsError; check the AWS connection"):
        S3Store(client, http, "files").stat("a")


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (boto.EndpointConnectionError(endpoint_url="https://sts"), ConnectionFailedError),
        (boto.ReadTimeoutError(endpoint_url="https://sts"), ConnectionFailedError),
        (boto.CredentialRetrievalError(provider="p", error_msg="secret"), AccessDeniedError),
        (boto.ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), AccessDeniedError),
        (
            boto.ClientError(
                {"Error": {"Code": "Busy"}, "ResponseMetadata": {"HTTPStatusCode": 503}},
                "AssumeRole",
            ),
            TransientError,
        ),
    ],
)
def test_credentials_that_cannot_be_fetched(http, raised, error):
    """What boto3 raises while it fetches credentials is told by kind, not in its words."""

    class Client:
        def generate_presigned_url(self, *_, **__):
            raise raised

    with pytest.raises(error) as told:
        S3Store(Client(), http, "files").stat("a")
    assert told.value.side is Side.TARGET
    assert "secret" not in str(told.value)


def test_a_bucket_that_is_none(http, s3_client):
    """A bucket's name that cannot be one is a mistake of the user's."""
    with pytest.raises(InvalidInputError, match="Invalid bucket name"):
        S3Store(s3_client("http://127.0.0.1:9"), http, "no bucket").stat("a")


@pytest.mark.component
def test_a_copy_is_verified_by_one_head(seaweedfs_server, file_server, http):
    """A real service keeps the hash that it checked: nothing is read to verify a file."""
    client = seaweedfs_server.client()
    store = S3Store(client, http, "files")
    file_server.put("/kubelet", BIG)
    sha = hashlib.sha256(BIG).hexdigest()
    source, url = HttpFileSource(http), f"{file_server.url}/kubelet"
    assert copy_file(source, [url], store, "bin/kubelet", sha).copied
    assert store.stat("bin/kubelet") == StoredFile(size=len(BIG), sha=sha, version=md5(BIG))
    assert (
        client.get_object(Bucket="files", Key="bin/kubelet.sha256")["Body"].read() == sha.encode()
    )
    again = copy_file(source, [url], store, "bin/kubelet", sha)
    assert (again.copied, again.uploaded) == (False, 0)
    assert file_server.count("GET") == 1


@pytest.mark.component
def test_an_object_of_somebody_else_is_verified_by_reading(seaweedfs_server, http):
    """An object that was written without SHA-256 is read, and then only lacks its side-car."""
    seaweedfs_server.client().put_object(Bucket="files", Key="old/file", Body=BIG)
    store = S3Store(seaweedfs_server.client(), http, "files")
    assert store.stat("old/file") == StoredFile(size=len(BIG), sha=None, version=md5(BIG))
    sha = hashlib.sha256(BIG).hexdigest()
    copied = copy_file(HttpFileSource(http), ["http://127.0.0.1:9"], store, "old/file", sha)
    assert (copied.copied, copied.sidecar_written) == (False, True)


@pytest.mark.component
def test_a_real_service_refuses_a_damaged_body(seaweedfs_server, http):
    """If bytes change after we hashed them, the service refuses them, and keeps nothing."""

    class Damaging(HttpClient):
        """Stands for a proxy that changes what it passes on."""

        def request(self, method, url, *, body=None, **options):
            if body is not None:
                body = (chunk.replace(b"\x07", b"\x08") for chunk in body)
            return super().request(method, url, body=body, **options)

    store = S3Store(seaweedfs_server.client(), Damaging(), "files")
    with pytest.raises(ChecksumMismatchError, match="BadDigest") as error:
        store.write("damaged", content(BIG))
    assert error.value.side is Side.TARGET
    assert store.stat("damaged") is None


@pytest.mark.component
def test_a_wrong_secret_key_is_refused(seaweedfs_server, http, s3_client):
    """A real service checks our signatures."""
    client = s3_client(seaweedfs_server.url, access_key=seaweedfs_server.access_key)
    store = S3Store(client, http, "files")
    with pytest.raises(AccessDeniedError):
        store.stat("a")
    with pytest.raises(AccessDeniedError, match="SignatureDoesNotMatch"):
        store.write("a", content())


@pytest.mark.component
def test_a_real_service_refuses_the_second_writer(seaweedfs_server, http):
    """Where something is already, a file that should be new is refused, and the old one stays."""
    store = S3Store(seaweedfs_server.client(), http, "files")
    store.write("race", content(b"first"))
    with pytest.raises(TransientError, match="another writer was first"):
        store.write("race", content(b"second"), new=True)
    with store.read("race") as chunks:
        assert b"".join(chunks) == b"first"


@pytest.mark.parametrize("value", ["\xe9" * 44, "=" * 44, "A" * 5000, "AAAA", "-"])
def test_a_malformed_checksum_is_none(fake, store, value):
    """Then the object is read to know what is in it."""
    fake.response = Response(200, {"x-amz-checksum-sha256": value}, RAW)
    assert store.stat("a").sha is None


LISTING = "<ListBucketResult><Contents><Key>a</Key><Size>{}</Size></Contents></ListBucketResult>"


@pytest.mark.parametrize(
    "body",
    [
        b"<",
        b"[]",
        b"\xff\xfe",
        LISTING.format("x").encode(),
        LISTING.format("9" * 5000).encode(),
        LISTING.replace("<Key>a</Key>", "").encode(),
        LISTING.format("1</Size><LastModified>99999999999999999999</LastModified><Size>").encode(),
        b"<a>" * 20_000,
    ],
)
def test_a_malformed_listing_is_our_error(fake, store, body):
    """Whatever a server sends instead."""
    fake.inject(Fault("GET", status=200, body=body))
    with pytest.raises(ServerFailedError, match="malformed listing"):
        store.list(["a"])
