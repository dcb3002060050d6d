"""What boto3 raises: whether it may pass, and what is told of it."""

from __future__ import annotations

import os

import boto3
import pytest
from botocore.exceptions import (
    FlexibleChecksumError,
    IncompleteReadError,
    MetadataRetrievalError,
    ResponseStreamingError,
)
from botocore.parsers import ResponseParserError

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
)
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.places.state.s3 import S3StateStore
from kops_assets_provider.mirror.places.state.s3_errors import s3_told
from tests.support.component import S3Component
from tests.support.file_server import FileServer
from tests.support.http_server import Fault, HttpServer, Response


def test_a_server_that_is_down_is_transient(monkeypatch):
    """It may be up again later."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConnectionFailedError, match="cannot be reached"):
        StateStores().open("s3://state").read("x")


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """No keys, region, profile or file of whoever runs the tests."""
    for name in [x for x in os.environ if x.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


@pytest.mark.usefixtures("no_settings")
def test_no_credentials_are_told(monkeypatch, tmp_path):
    """Neither cloud's chain finds any: the error says whose are missing."""
    with pytest.raises(AccessDeniedError, match="no usable AWS credentials"):
        StateStores().open("s3://state").read("x")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    with pytest.raises(AccessDeniedError, match="no usable Google credentials"):
        StateStores().open("gs://state")


@pytest.mark.usefixtures("no_settings")
@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("AWS_ENDPOINT_URL_S3", "user:secret@localhost:9000", InvalidInputError, "ENDPOINT_URL_S3"),
        ("AWS_ENDPOINT_URL_S3", "http://user:secret@[::1/", InvalidInputError, "no URL"),
        ("AWS_MAX_ATTEMPTS", "secret", InvalidInputError, "AWS_… variable"),
        ("AWS_DEFAULT_REGION", "no region!", InvalidInputError, "AWS_DEFAULT_REGION"),
        ("AWS_PROFILE", "nobody", InvalidInputError, "no AWS profile 'nobody': see AWS_PROFILE"),
        ("AWS_CONFIG_FILE", __file__, InvalidInputError, f"{__file__}' cannot be parsed"),
        ("AWS_ACCESS_KEY_ID", "secret", AccessDeniedError, "AWS_SECRET_ACCESS_KEY is not set"),
    ],
)
def test_settings_that_no_client_can_be_made_with_are_told(monkeypatch, name, value, error, words):
    """The error says which setting, and not what is in it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(error, match=words) as caught:
        StateStores().open("s3://state")
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)


@pytest.mark.usefixtures("no_settings")
def test_an_endpoint_of_another_scheme_is_told(monkeypatch):
    """boto3 looks at that only when something is sent."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "ftp://localhost")
    with pytest.raises(InvalidInputError, match="s3://state/x: the endpoint is no URL"):
        StateStores().open("s3://state").read("x")


@pytest.mark.usefixtures("no_settings")
def test_no_region_is_told():
    """Only services other than S3 need one, such as the one that gives roles."""
    with (
        pytest.raises(InvalidInputError, match=r"no region: .*AWS_DEFAULT_REGION"),
        s3_told("x", "y"),
    ):
        boto3.Session().client("ec2")


@pytest.mark.usefixtures("no_settings")
def test_a_metadata_service_that_is_down_is_transient(monkeypatch):
    """The credentials are there, only that they cannot be fetched now."""
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/")
    with pytest.raises(ConnectionFailedError, match="metadata service"):
        StateStores().open("s3://state").read("x")
    with pytest.raises(ConnectionFailedError, match="metadata service"), s3_told("x", "y"):
        raise MetadataRetrievalError(error_msg="x")


@pytest.fixture
def scripted(tmp_path):
    """A server that answers as it is told, and a store in it."""
    with FileServer({"/state/x": b"content"}) as server:
        component = S3Component(int(server.host.rpartition(":")[2]), tmp_path / "log")
        client = component.client(retries={"max_attempts": 0})
        yield server, S3StateStore(client, "state")
        client.close()


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        (400, "RequestTimeout", ServerFailedError, "400 RequestTimeout"),
        (400, "InternalError", ServerFailedError, "InternalError"),
        (403, "ServiceUnavailable", ServerFailedError, "ServiceUnavailable"),
        (400, "SlowDown", RateLimitedError, "SlowDown"),
        (403, "RequestTimeTooSkewed", AccessDeniedError, "clock"),
        (400, "ExpiredToken", AccessDeniedError, "get new credentials"),
        (400, "ExpiredTokenException", AccessDeniedError, "get new credentials"),
        (400, "InvalidToken", AccessDeniedError, "get new credentials"),
        (403, "AccessDenied", AccessDeniedError, "s3:GetObject, or there is no such object"),
        (400, "InvalidArgument", RequestRejectedError, "400 InvalidArgument"),
    ],
)
def test_what_s3_answers_is_judged_by_its_code(scripted, status, code, error, words):
    """Whether it may pass does not follow from the status alone."""
    server, store = scripted
    body = f"<Error><Code>{code}</Code><Message>secret</Message></Error>".encode()
    server.inject(Fault(status=status, body=body))
    with pytest.raises(error, match=f"s3://state/x: .*{words}") as caught:
        store.read("x")
    assert "secret" not in str(caught.value)


def test_a_listing_that_is_denied_names_the_prefix(scripted):
    """The right can be given for a prefix alone, so that must be known."""
    server, store = scripted
    server.inject(Fault(status=403, body=b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(AccessDeniedError, match="s3:ListBucket for the prefix 'a/instancegroup/'"):
        store.list("a/instancegroup")


@pytest.mark.parametrize(
    "fault",
    [Fault(headers={"x-amz-checksum-crc32": "AAAAAA=="}), Fault(truncate_after=3)],
    ids=["checksum", "length"],
)
def test_a_damaged_document_is_transient(scripted, fault):
    """What arrived is not what is stored; a second try may bring it whole."""
    server, store = scripted
    server.inject(fault)
    with pytest.raises(ConnectionFailedError, match=r"s3://state/x: .*damaged or incomplete"):
        store.read("x")
    assert store.read("x") == b"content"


@pytest.mark.parametrize(
    "error",
    [
        FlexibleChecksumError(error_msg="x"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ResponseStreamingError(error="x"),
        ResponseParserError("x"),
    ],
)
def test_every_error_of_a_damaged_answer_is_transient(error):
    """Which of them boto3 raises depends on its release."""
    with pytest.raises(ConnectionFailedError), s3_told("x", "y"):
        raise error


def test_a_listing_that_is_no_xml_is_transient(scripted):
    """A proxy's page, with status 200, which boto3 takes for a 500."""
    server, store = scripted
    server.inject(Fault(status=200, body=b"<p>Please wait<br>"))
    with pytest.raises(ServerFailedError, match="s3://state/: S3 answered 500"):
        store.list()


_PAGE = "<ListBucketResult>{}</ListBucketResult>"


@pytest.mark.parametrize(
    "page",
    [
        "<Contents/>",
        "<CommonPrefixes/>",
        "<MaxKeys>x</MaxKeys>",
        "<Contents><Key>a</Key><LastModified>99999999999999999999</LastModified></Contents>",
    ],
)
def test_a_malformed_listing_is_our_error(scripted, page):
    """botocore lets out what Python raises for numbers, dates and names that are none."""
    server, store = scripted
    server.inject(Fault(status=200, body=_PAGE.format(page).encode(), times=None))
    with pytest.raises(ServerFailedError, match="malformed answer"):
        store.list("x")


def test_a_listing_without_end_is_refused(tmp_path):
    """Each page has another token for the next one."""

    class Endless(HttpServer):
        number = 0

        def answer(self, request):
            self.number += 1
            token = f"<NextContinuationToken>{self.number}</NextContinuationToken>"
            body = _PAGE.format(f"<IsTruncated>true</IsTruncated>{token}")
            return Response(200, {"Content-Type": "application/xml"}, body.encode())

    with Endless() as server:
        client = S3Component(int(server.host.rpartition(":")[2]), tmp_path / "log").client()
        with pytest.raises(InvalidInputError, match="more than 100 pages"):
            S3StateStore(client, "bucket").list("x")
        client.close()
        assert server.number <= 102
