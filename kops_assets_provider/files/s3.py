"""
Files in S3 and in what speaks its protocol.

Every request is signed by boto3 (a presigned URL, made on this machine) and sent by our own client:
so proxies, authorities, limits and errors are the same on all paths, and a body is streamed.

A file is written by one PUT that announces its length and its SHA-256 up front. S3 checks both and
creates the object whole or not at all; it then keeps the hash, and a HEAD is enough to verify it.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    RequestRejectedError,
    Side,
    TransientError,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.paths import check_path
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.verify import check_other_writer
from kops_assets_provider.http.client import HttpClient, Response

MAX_SIZE = 5 << 30  # bytes; limit of a single PUT
_SIGNED_FOR_SECONDS = 900  # S3 looks at it when a request begins, not when it ends
_SHA = "x-amz-checksum-sha256"
_HEADERS = {
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumSHA256": _SHA,
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "IfNoneMatch": "If-None-Match",
}
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_CODE = re.compile(rb"<Code>(\w+)</Code>", re.ASCII)
_NEEDS = {"HEAD": "s3:GetObject and s3:ListBucket", "GET": "s3:GetObject", "PUT": "s3:PutObject"}
# 301, 307, 400: also how a bucket in another region answers, with the region in a header.
_TOLD_HERE = {"HEAD": {301, 307, 400}, "GET": {301, 307, 400}, "PUT": {301, 307, 400, 404}}


class S3Store:
    """
    A ``FileStore``: a bucket.

    :param client: a boto3 client for S3, made with ``signature_version="s3v4"``: the version that
        boto3 takes by default for an endpoint of one's own leaves conditions unsigned.
    :param http: sends the requests; its limits, authorities and proxies apply.
    :param owner: the AWS account, 12 digits, that the bucket must belong to: S3 then refuses one of
        that name that somebody else has made. Not checked if None.
    :raises InvalidInputError: ``owner`` is no account.
    """

    def __init__(
        self, client: Any, http: HttpClient, bucket: str, owner: str | None = None
    ) -> None:
        self._client = client
        self._http = http
        self._bucket = bucket
        self._owner = owner
        if owner is not None and not _ACCOUNT.fullmatch(owner):
            raise InvalidInputError("bucket owner", [f"{owner!r} is no AWS account of 12 digits"])

    def stat(self, path: str) -> StoredFile | None:
        """Look at the object: one HEAD."""
        with self._send("HEAD", path, {"ChecksumMode": "ENABLED"}, accept={404}) as response:
            if response.status == 404:
                return None
            return StoredFile(response.length or 0, _full_sha(response.headers))

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the object back."""
        with self._send("GET", path, {}) as response:
            yield response.stream()

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """
        Write an object, in one PUT.

        :raises UnsupportedTargetError: it exceeds 5 GiB.
        :raises ChecksumMismatchError: its side is the target if S3 got other bytes than were sent.
        """
        if content.size > MAX_SIZE:
            message = f"{self._place(path)}: {content.size} bytes exceed {MAX_SIZE}, S3's limit"
            raise UnsupportedTargetError(message, side=Side.TARGET)
        params = {"ChecksumSHA256": base64.b64encode(bytes.fromhex(content.sha)).decode()}
        if new:
            params["IfNoneMatch"] = "*"
        with self._send("PUT", path, params, content, accept={409, 412}) as response:
            first = response.status in (409, 412)
        if first:
            check_other_writer(self, path, self._place(path), content.sha)

    @contextmanager
    def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        content: Content | None = None,
        accept: Collection[int] = (),
    ) -> Iterator[Response]:
        if self._owner:
            params = {**params, "ExpectedBucketOwner": self._owner}
        headers = {_HEADERS[name]: value for name, value in params.items()}
        if content:
            headers["Content-Length"] = str(content.size)
        hint = f"{self._place(path)}: the AWS connection needs {_NEEDS[method]}"
        if self._owner:
            hint += f", and the bucket must belong to the account {self._owner}"
        with self._http.request(
            method,
            self._sign(method, path, params),
            side=Side.TARGET,
            headers=headers,
            body=content,
            accept={*accept, *_TOLD_HERE[method]},
            hint=hint,
        ) as response:
            if response.status in _TOLD_HERE[method]:
                raise self._rejected(method, path, response, content)
            yield response

    def _sign(self, method: str, path: str, params: Mapping[str, str]) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        place = {"Bucket": self._bucket, "Key": check_path(path)}
        try:
            return str(
                self._client.generate_presigned_url(
                    f"{method.lower()}_object",
                    Params={**place, **params},
                    ExpiresIn=_SIGNED_FOR_SECONDS,
                )
            )
        except (BotoCoreError, ClientError) as err:
            raise _signing_error(self._place(path), err) from err

    def _rejected(
        self, method: str, path: str, response: Response, content: Content | None
    ) -> KopsAssetsError:
        found = _CODE.search(response.read())
        code = found[1].decode() if found else ""
        what = f"{self._place(path)}: {method} answered {response.status} {code}".rstrip()
        if content and code in ("BadDigest", "XAmzContentChecksumMismatch"):
            what += f": expected sha256 {content.sha}, which was sent, but other bytes arrived"
            return ChecksumMismatchError(f"{what}; nothing was stored", side=Side.TARGET)
        if response.status == 404:
            message = f"{what}; the bucket must be made first"
            return NotFoundError(message, side=Side.TARGET)
        region = response.headers.get("x-amz-bucket-region")
        if region and region != self._client.meta.region_name:
            what += f"; the bucket is in {region}, the AWS connection says"
            what += f" {self._client.meta.region_name}: set its region_name"
        return RequestRejectedError(what, side=Side.TARGET)

    def _place(self, path: str) -> str:
        return f"s3://{self._bucket}/{path}"


def _full_sha(headers: Mapping[str, str]) -> str | None:
    """Return the SHA-256 that S3 checked; None for that of a multipart object's parts (``…-2``)."""
    value = headers.get(_SHA, "")
    if headers.get("x-amz-checksum-type", "FULL_OBJECT") != "FULL_OBJECT":
        return None
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error:
        return None
    return raw.hex() if len(raw) == 32 else None


def _signing_error(place: str, err: Exception) -> KopsAssetsError:
    """Return the error for a URL that boto3 could not sign, or had no credentials for."""
    from botocore import exceptions as boto

    # boto3's words are left out where they may quote what a credential helper said.
    what = f"{place}: cannot sign a request: {type(err).__name__}"
    if isinstance(err, boto.ParamValidationError):
        return InvalidInputError(place, [str(err)])
    if isinstance(err, boto.ConnectionError | boto.HTTPClientError):
        return ConnectionFailedError(f"{what} while fetching credentials", side=Side.TARGET)
    if isinstance(err, boto.ClientError):
        what += f" {err.response.get('Error', {}).get('Code', '')}"
        status = err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or status == 429:
            return TransientError(what, side=Side.TARGET)
    return AccessDeniedError(f"{what}; check the AWS connection's credentials", side=Side.TARGET)
