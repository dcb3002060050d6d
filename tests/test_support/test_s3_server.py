"""The S3 server: asked by boto3, and by hand where boto3 would not ask so."""

from __future__ import annotations

import base64
import hashlib
import http.client
import socket
import time
import urllib.request
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.messages import Fault
from tests.support.s3_server import OWNER, S3Server

RAW = bytes(range(256)) * 1024
SHA64 = base64.b64encode(hashlib.sha256(RAW).digest()).decode()
WRONG64 = base64.b64encode(bytes(32)).decode()
# In the order of their bytes in UTF-8; by those in UTF-16 the last two would change places.
NAMES = ["a b", "a%2Cb", "a+b&c=d", "a/x/1", "a/x/2", "a/y", "b<>\"'", "é", "\uff5e", "😀"]


@pytest.fixture
def server():
    with S3Server(["files", "logs"]) as running:
        yield running


@pytest.fixture
def s3(server):
    client = server.client(retries={"max_attempts": 0})
    yield client
    client.close()


def call(server, method, target, body=None, **headers):
    """Return status, headers and body; keywords are headers with underscores."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection(server.host, timeout=10)) as connection:
        connection.request(method, target, body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def refusal(call, **params):
    """Return status and code of what boto3 raises."""
    with pytest.raises(ClientError) as error:
        call(**params)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def listed(client, **params):
    """Return the keys and the common prefixes of all pages, and how many pages they were."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="files", **params)
    keys, prefixes, count = [], [], 0
    for page in pages:
        count += 1
        keys += [item["Key"] for item in page.get("Contents", [])]
        prefixes += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(page.get("Contents", [])) + len(
            page.get("CommonPrefixes", [])
        )
    return keys, prefixes, count


class TestObjects:
    def test_put_get_and_head(self, s3):
        """What was stored comes back, with length, MD5 and time; and parts of it."""
        etag = f'"{hashlib.md5(RAW).hexdigest()}"'
        assert s3.put_object(Bucket="files", Key="a/b", Body=RAW)["ETag"] == etag
        got = s3.get_object(Bucket="files", Key="a/b")
        assert got["Body"].read() == RAW
        head = s3.head_object(Bucket="files", Key="a/b")
        assert (head["ContentLength"], head["ETag"]) == (len(RAW), etag)
        assert head["LastModified"] == got["LastModified"]
        part = s3.get_object(Bucket="files", Key="a/b", Range="bytes=10-19")
        assert (part["Body"].read(), part["ContentRange"]) == (
            RAW[10:20],
            f"bytes 10-19/{len(RAW)}",
        )
        assert refusal(s3.get_object, Bucket="files", Key="a/b", Range="bytes=999999-") == (
            416,
            "InvalidRange",
        )

    @pytest.mark.parametrize("key", NAMES)
    def test_keys_are_taken_as_they_are(self, server, s3, key):
        """Neither decoded twice nor encoded once more."""
        s3.put_object(Bucket="files", Key=key, Body=b"x")
        assert list(server.buckets["files"].objects) == [key]
        assert s3.get_object(Bucket="files", Key=key)["Body"].read() == b"x"

    def test_a_checksum_is_told_to_who_asks(self, s3):
        """It is told only if it was said when the object was stored, and if it is asked for."""
        s3.put_object(Bucket="files", Key="with", Body=RAW, ChecksumSHA256=SHA64)
        s3.put_object(Bucket="files", Key="without", Body=RAW)
        told = s3.head_object(Bucket="files", Key="with", ChecksumMode="ENABLED")
        assert (told["ChecksumSHA256"], told["ChecksumType"]) == (SHA64, "FULL_OBJECT")
        assert "ChecksumSHA256" not in s3.head_object(Bucket="files", Key="with")
        other = s3.head_object(Bucket="files", Key="without", ChecksumMode="ENABLED")
        assert "ChecksumSHA256" not in other

    @pytest.mark.parametrize(
        "said", [{"ChecksumSHA256": WRONG64}, {"ContentMD5": WRONG64[:22] + "=="}]
    )
    def test_wrong_bytes_are_not_stored(self, server, s3, said):
        """Another checksum than that of the body: refused, and what was there is there."""
        server.put("files", "old", b"old")
        for key in ("old", "new"):
            params = {"Bucket": "files", "Key": key, "Body": RAW, **said}
            assert refusal(s3.put_object, **params) == (400, "BadDigest")
        objects = server.buckets["files"].objects
        assert {key: x.data for key, x in objects.items()} == {"old": b"old"}

    @pytest.mark.parametrize(
        ("header", "status", "code"),
        [
            ({"x_amz_checksum_sha256": "AAAA"}, 400, "InvalidRequest"),
            ({"x_amz_checksum_sha256": "?"}, 400, "InvalidRequest"),
            ({"Content_MD5": "AAAA"}, 400, "InvalidDigest"),
            ({"x_amz_content_sha256": "0" * 64}, 400, "XAmzContentSHA256Mismatch"),
            ({"x_amz_content_sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}, 501, "NotImplemented"),
        ],
    )
    def test_headers_that_boto3_would_not_send(self, server, header, status, code):
        """What cannot be the hash of anything, or is not that of the body."""
        told, _, body = call(server, "PUT", "/files/a", b"x", Authorization="x", **header)
        assert (told, f"<Code>{code}</Code>".encode() in body) == (status, True)
        assert server.buckets["files"].objects == {}

    def test_how_it_was_stored_is_remembered(self, server, s3):
        """Encryption, ACL and storage class can be looked at, and are told as S3 tells them."""
        said = {
            "ServerSideEncryption": "aws:kms",
            "SSEKMSKeyId": "arn:aws:kms:eu-west-1:111122223333:key/k",
            "ACL": "bucket-owner-full-control",
            "StorageClass": "STANDARD_IA",
            "ContentType": "text/plain",
            "Metadata": {"some": "thing"},
        }
        s3.put_object(Bucket="files", Key="a", Body=RAW, **said)
        stored = server.buckets["files"].objects["a"]
        assert (stored.server_side_encryption, stored.kms_key, stored.acl) == (
            "aws:kms",
            said["SSEKMSKeyId"],
            "bucket-owner-full-control",
        )
        head = s3.head_object(Bucket="files", Key="a")
        assert {name: head.get(name) for name in said} == {**said, "ACL": None}

    def test_the_etag_of_what_a_key_encrypts_is_no_md5(self, s3):
        """It looks like one, and is another one each time."""
        etags = set()
        for _ in range(2):
            put = s3.put_object(Bucket="files", Key="a", Body=RAW, ServerSideEncryption="aws:kms")
            assert put["ETag"] == s3.head_object(Bucket="files", Key="a")["ETag"]
            etags.add(put["ETag"].strip('"'))
        assert len(etags | {hashlib.md5(RAW).hexdigest()}) == 3
        assert {len(etag) for etag in etags} == {32}

    def test_too_large(self, server, s3):
        """A limit that is smaller than S3's can be had."""
        server.max_bytes = 10
        s3.put_object(Bucket="files", Key="a", Body=bytes(10))
        refused = refusal(s3.put_object, Bucket="files", Key="b", Body=bytes(11))
        assert refused == (400, "EntityTooLarge")

    def test_a_body_needs_its_length(self, server):
        """S3 does not take a body of unknown length."""
        status, _, body = call(server, "PUT", "/files/a", iter([b"x"]), Authorization="x")
        assert (status, b"MissingContentLength" in body) == (411, True)

    def test_a_body_that_breaks_off(self, server):
        """An object is there whole or not at all."""
        head = "PUT /files/a HTTP/1.1\r\nHost: x\r\nAuthorization: x\r\nContent-Length: 10\r\n\r\n"
        host, _, port = server.host.partition(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + b"12345")
        status, _, _ = call(server, "GET", "/files/a", Authorization="x")
        assert (status, server.buckets["files"].objects) == (404, {})

    @pytest.mark.parametrize(
        ("operation", "params"),
        [
            ("create_multipart_upload", {}),
            ("delete_object", {}),
            ("copy_object", {"CopySource": "files/b"}),
            ("get_object_acl", {}),
            ("get_object", {"VersionId": "1"}),
            ("put_object", {"IfMatch": "x"}),
            ("put_object", {"IfNoneMatch": "x"}),
            ("put_object", {"ChecksumSHA1": "x"}),
            ("put_object", {"Tagging": "a=b"}),
        ],
    )
    def test_what_it_cannot_do_it_refuses(self, server, s3, operation, params):
        """Nobody may believe that it did what it was asked for."""
        server.put("files", "a", RAW)
        refused = refusal(getattr(s3, operation), Bucket="files", Key="a", **params)
        assert refused == (501, "NotImplemented")

    @pytest.mark.parametrize(
        "params",
        [
            {"ServerSideEncryption": "rot13"},
            {"ServerSideEncryption": "AES256", "SSEKMSKeyId": "k"},
            {"ACL": "everybody"},
        ],
    )
    def test_arguments_that_are_none(self, s3, params):
        """What S3 does not know it refuses."""
        refused = refusal(s3.put_object, Bucket="files", Key="a", **params)
        assert refused == (400, "InvalidArgument")


class TestConditions:
    def test_only_the_first_is_stored(self, server, s3):
        """Where something is, nothing is put that should be new."""
        s3.put_object(Bucket="files", Key="a", Body=b"1", IfNoneMatch="*")
        refused = refusal(s3.put_object, Bucket="files", Key="a", Body=b"2", IfNoneMatch="*")
        assert refused == (412, "PreconditionFailed")
        assert server.buckets["files"].objects["a"].data == b"1"

    def test_of_two_at_once_one_wins(self, server):
        """The condition is looked at when the body is complete, too."""
        connections = [http.client.HTTPConnection(server.host, timeout=10) for _ in "12"]
        for connection in connections:
            connection.putrequest("PUT", "/files/a")
            for name, value in (("Authorization", "x"), ("If-None-Match", "*")):
                connection.putheader(name, value)
            connection.putheader("Content-Length", "2")
            connection.endheaders(b"1")
        wait_for(lambda: [r.received_bytes for r in server.requests] == [1, 1])
        answers = []
        for connection in connections:
            connection.send(b"2")
            answers.append(connection.getresponse().status)
            connection.close()
        assert answers == [200, 412]

    def test_a_conflict_can_be_had(self, server, s3):
        """S3 may also say that another writer is under way."""
        body = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
        server.inject(Fault("PUT", status=409, body=body))
        refused = refusal(s3.put_object, Bucket="files", Key="a", Body=b"1", IfNoneMatch="*")
        assert refused == (409, "ConditionalRequestConflict")


class TestListing:
    @pytest.fixture(autouse=True)
    def objects(self, server):
        for name in reversed(NAMES):
            server.put("files", name, name.encode())

    def test_keys_come_in_the_order_of_their_bytes(self, server, s3):
        """However small the pages are, each key comes once, and in order."""
        for server.page_size in (1000, 3, 1):
            keys, prefixes, pages = listed(s3)
            assert (keys, prefixes) == (NAMES, [])
            assert pages == -(-len(NAMES) // server.page_size)
        assert keys == sorted(keys, key=str.encode)

    def test_a_key_is_described(self, server, s3):
        """Size, ETag, time and storage class are as HEAD tells them; of a checksum, its kind."""
        s3.put_object(Bucket="files", Key="a/new", Body=RAW, ChecksumSHA256=SHA64)
        page = s3.list_objects_v2(Bucket="files", Prefix="a/new")
        (item,) = page["Contents"]
        head = s3.head_object(Bucket="files", Key="a/new")
        assert (item["Size"], item["ETag"], item["LastModified"]) == (
            len(RAW),
            head["ETag"],
            head["LastModified"],
        )
        assert (item["StorageClass"], item["ChecksumAlgorithm"]) == ("STANDARD", ["SHA256"])
        assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (1, 1000, False)

    def test_prefixes_and_delimiters(self, server, s3):
        """What lies below a delimiter is one entry, also where a page ends within it."""
        for server.page_size in (1000, 1):
            assert listed(s3, Prefix="a/", Delimiter="/")[:2] == (["a/y"], ["a/x/"])
            keys, prefixes, _ = listed(s3, Delimiter="/")
            assert prefixes == ["a/"]
            assert keys == [name for name in NAMES if "/" not in name]
            assert listed(s3, Prefix="none")[:2] == ([], [])

    def test_where_to_begin(self, s3):
        """The keys after a name, be there such a key or not."""
        assert listed(s3, StartAfter="a/x/1")[0] == NAMES[4:]
        assert listed(s3, StartAfter="a/x/1!")[0] == NAMES[4:]
        assert listed(s3, StartAfter="a/x/1", Prefix="a/x/")[0] == ["a/x/2"]

    def test_max_keys(self, s3):
        """As many as were asked for, and none is a number as well."""
        page = s3.list_objects_v2(Bucket="files", MaxKeys=2)
        assert (page["KeyCount"], page["IsTruncated"], page["MaxKeys"]) == (2, True, 2)
        page = s3.list_objects_v2(Bucket="files", MaxKeys=0)
        assert (page["KeyCount"], page["IsTruncated"]) == (0, False)
        assert refusal(s3.list_objects_v2, Bucket="files", ContinuationToken="no token") == (
            400,
            "InvalidArgument",
        )

    def test_keys_that_xml_cannot_carry(self, server, s3):
        """Control characters: boto3 asks for keys in the encoding of URLs."""
        server.put("logs", "a\x01\n b", b"")
        (item,) = s3.list_objects_v2(Bucket="logs")["Contents"]
        assert item["Key"] == "a\x01\n b"
        _, _, body = call(server, "GET", "/logs?list-type=2", Authorization="x")
        assert b"<Key>a&#x1;&#xa; b</Key>" in body

    @pytest.mark.parametrize("wrong", ["max-keys=x", "encoding-type=base64"])
    def test_parameters_that_are_none(self, server, wrong):
        """What S3 does not know it refuses."""
        status, _, body = call(server, "GET", f"/files?list-type=2&{wrong}", Authorization="x")
        assert (status, b"<Code>InvalidArgument</Code>" in body) == (400, True)

    @pytest.mark.parametrize("target", ["/files", "/files?list-type=1", "/files?location"])
    def test_other_questions(self, server, target):
        """The first version of listing, and what else can be asked of a bucket, is refused."""
        assert call(server, "GET", target, Authorization="x")[0] == 501


class TestRights:
    def test_a_missing_bucket(self, server, s3):
        """Everything in it is missing as well; HEAD tells it without a body."""
        for operation in (s3.get_object, s3.put_object):
            assert refusal(operation, Bucket="other", Key="a") == (404, "NoSuchBucket")
        assert refusal(s3.list_objects_v2, Bucket="other") == (404, "NoSuchBucket")
        assert refusal(s3.head_object, Bucket="other", Key="a") == (404, "404")
        assert server.requests[-1].sent_bytes == 0

    def test_buckets_and_keys_that_are_looked_at(self, s3):
        """A bucket is there, cannot be changed, and has no keys beyond 1024 bytes."""
        s3.head_bucket(Bucket="files")
        assert refusal(s3.head_bucket, Bucket="other") == (404, "404")
        assert refusal(s3.create_bucket, Bucket="files") == (501, "NotImplemented")
        s3.put_object(Bucket="files", Key="é" * 512)
        refused = refusal(s3.put_object, Bucket="files", Key="é" * 512 + "a")
        assert refused == (400, "KeyTooLongError")

    def test_a_missing_key(self, s3):
        """It is told to who may list."""
        assert refusal(s3.get_object, Bucket="files", Key="a") == (404, "NoSuchKey")
        assert refusal(s3.head_object, Bucket="files", Key="a") == (404, "404")

    def test_who_may_not_list(self, server, s3):
        """Listing is denied, and so is what is not there; what is there is not."""
        server.requester_may_list = False
        server.put("files", "a", RAW)
        assert refusal(s3.list_objects_v2, Bucket="files") == (403, "AccessDenied")
        assert refusal(s3.get_object, Bucket="files", Key="b") == (403, "AccessDenied")
        assert refusal(s3.head_object, Bucket="files", Key="b") == (403, "403")
        assert s3.head_object(Bucket="files", Key="a")["ContentLength"] == len(RAW)
        s3.put_object(Bucket="files", Key="b", Body=RAW, IfNoneMatch="*")

    def test_the_owner_of_a_bucket(self, s3):
        """Nothing is done in a bucket that belongs to somebody else than was expected."""
        other = {"Bucket": "files", "ExpectedBucketOwner": "9" * 12}
        for operation in (s3.get_object, s3.put_object):
            assert refusal(operation, Key="a", **other) == (403, "AccessDenied")
        assert refusal(s3.list_objects_v2, **other) == (403, "AccessDenied")
        s3.put_object(Bucket="files", Key="a", ExpectedBucketOwner=OWNER)

    def test_buckets_of_several_owners(self):
        """Each bucket may have its own."""
        with S3Server({"ours": "1" * 12, "theirs": "2" * 12}) as server:
            client = server.client()
            client.list_objects_v2(Bucket="theirs", ExpectedBucketOwner="2" * 12)
            refused = refusal(client.list_objects_v2, Bucket="theirs", ExpectedBucketOwner="1" * 12)
            client.close()
        assert refused == (403, "AccessDenied")

    def test_who_does_not_say_who_asks(self, server):
        """Only what is public is read, and nothing else is done."""
        server.put("files", "private", RAW)
        server.put("files", "public", RAW, acl="public-read")
        assert call(server, "GET", "/files/private")[0] == 403
        assert call(server, "GET", "/files/public")[::2] == (200, RAW)
        assert call(server, "PUT", "/files/new", b"x")[0] == 403
        assert call(server, "GET", "/files?list-type=2")[0] == 403
        assert call(server, "GET", "/files/absent")[0] == 403
        assert "new" not in server.buckets["files"].objects

    def test_a_public_bucket(self, server):
        """Everybody may read, and does not get to know what is not there."""
        server.public = True
        server.put("files", "a", RAW)
        assert call(server, "GET", "/files/a", Range="bytes=0-1")[::2] == (206, RAW[:2])
        status, headers, _ = call(server, "HEAD", "/files/a")
        assert (status, headers["Content-Length"]) == (200, str(len(RAW)))
        assert call(server, "GET", "/files/absent")[0] == 403

    def test_a_bucket_without_acls(self, server, s3):
        """Where the owner of the bucket owns all objects, an ACL may only say so."""
        server.takes_acls = False
        s3.put_object(Bucket="files", Key="a", ACL="bucket-owner-full-control")
        refused = refusal(s3.put_object, Bucket="files", Key="a", ACL="public-read")
        assert refused == (400, "AccessControlListNotSupported")

    def test_presigned_urls(self, server, s3):
        """They are as good as a header; what begins with x-amz- has to be signed, and sent."""
        params = {"Bucket": "files", "Key": "a", "ACL": "public-read"}
        target = urlsplit(s3.generate_presigned_url("put_object", Params=params))
        target = f"{target.path}?{target.query}"
        status, _, body = call(server, "PUT", target, b"x")
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
        status, _, body = call(
            server, "PUT", target, b"x", x_amz_acl="public-read", x_amz_storage_class="GLACIER"
        )
        assert (status, b"which were not signed" in body) == (403, True)
        assert call(server, "PUT", target, b"x", x_amz_acl="public-read")[0] == 200
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "files", "Key": "a"})
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"x"


def wait_for(condition):
    """Wait until it is so."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become so")
