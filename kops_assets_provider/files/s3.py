"""
Files in S3 and in what speaks its protocol.

A file is written by one PUT that announces its length and its SHA-256 up front. S3 checks both and
creates the object whole or not at all; it then keeps the hash, and a HEAD is enough to verify it.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from kops_assets_provider.exceptions import ServerFailedError, Side, UnsupportedTargetError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.listing import Page, find_in_pages
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.s3_requests import S3Requests
from kops_assets_provider.files.store_paths import check_path, media_type
from kops_assets_provider.files.verify import check_other_writer
from kops_assets_provider.http.client import HttpClient

MAX_SIZE = 5 << 30  # bytes; limit of a single PUT
_MAX_PAGE = 16 << 20  # bytes; a thousand keys of 1024 bytes each, thrice as long when encoded
_SHA = "x-amz-checksum-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Options:
    """
    How objects are stored, in S3's own words; what is None is left to the bucket's settings.

    :param owner: the AWS account, 12 digits, that the bucket must belong to: S3 then refuses one of
        that name that somebody else has made. Not checked if None.
    :param server_side_encryption: ``AES256``, ``aws:kms`` or ``aws:kms:dsse``.
    :param kms_key: ARN or id of the key, with one of the latter two.
    :param acl: a canned ACL, such as ``bucket-owner-full-control``.
    :param storage_class: such as ``STANDARD_IA``.
    """

    owner: str | None = None
    server_side_encryption: str | None = None
    kms_key: str | None = None
    acl: str | None = None
    storage_class: str | None = None

    def params(self) -> dict[str, str]:
        """Return boto3's parameters of a PUT."""
        values = {
            "ServerSideEncryption": self.server_side_encryption,
            "SSEKMSKeyId": self.kms_key,
            "ACL": self.acl,
            "StorageClass": self.storage_class,
        }
        return {name: value for name, value in values.items() if value is not None}


class S3Store:
    """
    A ``FileStore``: a bucket.

    :param client: a boto3 client for S3, made with ``signing_config``.
    :param http: sends the requests; its limits, authorities and proxies apply.
    :raises InvalidInputError: the owner in ``options`` is no account.
    """

    lists_all = False  # a listing has no SHA-256
    copy_requests = 3

    def __init__(
        self, client: Any, http: HttpClient, bucket: str, options: S3Options | None = None
    ) -> None:
        self._options = options or S3Options()
        self._requests = S3Requests(client, http, bucket, self._options.owner)

    def stat(self, path: str) -> StoredFile | None:
        """Look at the object: one HEAD."""
        params = {"ChecksumMode": "ENABLED"}
        with self._requests.send("head_object", check_path(path), params, accept={404}) as response:
            if response.status == 404:
                return None
            headers = response.headers
            return StoredFile(
                size=response.length or 0, sha=_full_sha(headers), version=_version(headers)
            )

    def list(self, paths: Collection[str]) -> dict[str, StoredFile]:
        """Look at many objects: one GET for a thousand of them, if they lie close together."""
        return find_in_pages({check_path(x) for x in paths}, self._page)

    def _page(self, prefix: str, start: str) -> Page:
        """Return the objects right after ``start``."""
        from botocore.parsers import ResponseParserError, create_parser

        params = {"Prefix": prefix, "EncodingType": "url"} | (
            {"StartAfter": start} if start else {}
        )
        with self._requests.send("list_objects_v2", None, params) as response:
            answer = {"status_code": 200, "headers": {}, "body": response.read(_MAX_PAGE)}
        model = self._requests.client.meta.service_model.operation_model("ListObjectsV2")
        try:
            page = create_parser("rest-xml").parse(answer, model.output_shape)
            decode = unquote_plus if page.get("EncodingType") == "url" else str
            found = {
                decode(x["Key"]): StoredFile(
                    size=int(x["Size"]), version=x.get("ETag", "").strip('"')
                )
                for x in page.get("Contents", ())
            }
        # The last is what botocore raises for a date that is out of range.
        except (ResponseParserError, LookupError, TypeError, ValueError, RuntimeError) as err:
            message = f"{self._requests.place(prefix)}: S3 sent a malformed listing"
            raise ServerFailedError(f"{message}: {type(err).__name__}", side=Side.TARGET) from err
        return found, not page.get("IsTruncated")

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the object back."""
        with self._requests.send("get_object", check_path(path), {}) as response:
            yield response.stream()

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """
        Write an object, in one PUT.

        :raises UnsupportedTargetError: it exceeds 5 GiB.
        :raises ChecksumMismatchError: its side is the target if S3 got other bytes than were sent.
        """
        place = self._requests.place(check_path(path))
        if content.size > MAX_SIZE:
            message = f"{place}: {content.size} bytes exceed {MAX_SIZE}, S3's limit for one PUT"
            raise UnsupportedTargetError(message, side=Side.TARGET)
        sha = base64.b64encode(bytes.fromhex(content.sha)).decode()
        params = {**self._options.params(), "ChecksumSHA256": sha, "ContentType": media_type(path)}
        if new:
            params["IfNoneMatch"] = "*"
        with self._requests.send("put_object", path, params, content, {409, 412}) as response:
            first = response.status in (409, 412)
        if first:
            check_other_writer(self, path, place, content.sha)


def _version(headers: Mapping[str, str]) -> str | None:
    """Return the ETag: the MD5 of what came in one PUT and is not encrypted by a key of KMS."""
    return headers.get("ETag", "").strip('"') or None


def _full_sha(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256 that S3 checked; None for that of a multipart object's parts (``…-2``)."""
    value = headers.get(_SHA, "")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:  # also for what is not ASCII
        return None
    return raw.hex() if len(raw) == 32 else None
