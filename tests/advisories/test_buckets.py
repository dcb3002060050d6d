"""Row 17: a bucket of the right name that belongs to somebody else."""

from __future__ import annotations

import hashlib

import boto3
import pytest
from botocore.config import Config

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.s3 import S3Options, S3Store
from kops_assets_provider.files.verify import verify_file
from kops_assets_provider.http.client import HttpClient
from tests.support.http_server import HttpServer, Response

OURS, THEIRS = "111122223333", "999999999999"
BYTES = b"kubelet"
SHA = hashlib.sha256(BYTES).hexdigest()


class Squatter(HttpServer):
    """
    S3, with a bucket that a stranger has made since its owner deleted it.

    It does as S3 does (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition
    .html), and whatever is asked of the bucket, the stranger sees.
    """

    def __init__(self):
        super().__init__()
        self.taken = []

    def answer(self, request):
        body = b"".join(request.body)
        expected = request.headers.get("x-amz-expected-bucket-owner")
        if expected not in (None, THEIRS):
            return Response(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
        if expected:
            assert "x-amz-expected-bucket-owner" in request.query
        if request.method == "PUT":
            self.taken.append(body)
        return Response(404 if request.method == "HEAD" else 200)


@pytest.fixture
def squatter():
    with Squatter() as server:
        yield server


@pytest.fixture
def client(squatter):
    return boto3.client(
        "s3",
        endpoint_url=squatter.url,
        region_name="us-east-1",
        aws_access_key_id="AKIAEXAMPLE00001",
        aws_secret_access_key="s",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )


def test_a_strangers_bucket_gets_nothing(defended, squatter, client):
    """Neither is it believed to be ours, nor does it get a byte that nodes would run as root."""

    def check():
        squatter.taken.clear()
        store = S3Store(client, HttpClient(), "mirror", S3Options(owner=OURS))
        for attempt in (
            lambda: verify_file(store, "kubelet", SHA),
            lambda: store.write(
                "kubelet", Content(name="kubelet", chunks=[BYTES], size=len(BYTES), sha=SHA)
            ),
        ):
            try:
                attempt()
            except AccessDeniedError as err:
                assert f"must belong to the account {OURS}" in str(err)  # noqa: PT017
        assert squatter.taken == []

    def disable(patch):
        def init(self, client, http, bucket, options):
            original(self, client, http, bucket)

        original = S3Store.__init__
        patch.setattr(S3Store, "__init__", init)

    defended(check, disable)


def test_the_owners_bucket_works(squatter, client):
    """The condition is part of what is signed."""
    store = S3Store(client, HttpClient(), "mirror", S3Options(owner=THEIRS))
    store.write("kubelet", Content(name="kubelet", chunks=[BYTES], size=len(BYTES), sha=SHA))
    assert squatter.taken == [BYTES]


@pytest.mark.parametrize("owner", ["", "mine", "11112222333", "arn:aws:iam::111122223333:root"])
def test_an_owner_that_is_none_is_told(client, owner):
    """A typo must not be taken for nobody."""
    with pytest.raises(InvalidInputError, match="no AWS account of 12 digits"):
        S3Store(client, HttpClient(), "mirror", S3Options(owner=owner))
