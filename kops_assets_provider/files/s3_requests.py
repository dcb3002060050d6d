"""
Requests to a bucket in S3: signed by boto3, on this machine, and sent by our own client.

So proxies, authorities, limits and errors are the same on all paths, and a body is streamed.
"""

from __future__ import annotations

import os
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
    ServerFailedError,
    Side,
    TransientError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.http.client import HttpClient, Response

_SIGNED_FOR_SECONDS = 900  # S3 looks at it when a request begins, not when it ends
# What goes by a header is signed, and has to be sent by one as well; all else is in the URL.
_HEADERS = {
    "ACL": "x-amz-acl",
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumSHA256": "x-amz-checksum-sha256",
    "ContentType": "Content-Type",
    "ExpectedBucketOwner": "x-amz-expected-bucket-owner",
    "IfNoneMatch": "If-None-Match",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
}
_METHODS = {"head_object": "HEAD", "get_object": "GET", "put_object": "PUT"}
_NEEDS = {
    "head_object": "s3:GetObject and s3:ListBucket (and kms:Decrypt, if it is encrypted by a key)",
    "get_object": "s3:GetObject (and kms:Decrypt, if it is encrypted by a key)",
    "put_object": "s3:PutObject (and s3:PutObjectAcl for an ACL, kms:GenerateDataKey for a key)",
    "list_objects_v2": "s3:ListBucket",
}
# 301, 307, 400: also how a bucket in another region answers, with the region in a header.
_ELSEWHERE = {301, 307, 400}
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_CODE = re.compile(rb"<Code>(\w+)</Code>", re.ASCII)


class S3Requests:
    """
    Sends requests to one bucket.

    :param client: a boto3 client for S3, made with ``signing_config``.
    :param owner: the AWS account, 12 digits, that the bucket must belong to; not checked if None.
    :raises InvalidInputError: ``owner`` is no account.
    """

    def __init__(self, client: Any, http: HttpClient, bucket: str, owner: str | None) -> None:
        self.client = client
        self.bucket = bucket
        self._http = http
        self._owner = check_owner(owner)

    @contextmanager
    def send(
        self,
        operation: str,
        path: str | None,
        params: Mapping[str, str],
        content: Content | None = None,
        accept: Collection[int] = (),
    ) -> Iterator[Response]:
        """
        Send a request and give its response until the block ends; raises what ``request`` raises.

        :param operation: boto3's name for it, such as ``put_object``.
        :param path: of the object; None for the bucket as a whole.
        :param params: boto3's names and values.
        """
        method = _METHODS.get(operation, "GET")
        place = self.place(path)
        if self._owner:
            params = {**params, "ExpectedBucketOwner": self._owner}
        headers = {_HEADERS[k]: v for k, v in params.items() if k in _HEADERS}
        if content:
            headers["Content-Length"] = str(content.size)
        told_here = _ELSEWHERE if 404 in accept else {*_ELSEWHERE, 404}
        with self._http.request(
            method,
            self._sign(operation, path, params),
            side=Side.TARGET,
            headers=headers,
            body=content,
            accept={*accept, *told_here},
            hint=self._hint(place, operation),
        ) as response:
            if response.status in told_here:
                raise self._rejected(place, method, response, content)
            yield response

    def place(self, path: str | None) -> str:
        """Return where an object is, for messages."""
        return f"s3://{self.bucket}/{path or ''}"

    def _hint(self, place: str, operation: str) -> str:
        hint = f"{place}: the AWS credentials need {_NEEDS[operation]}"
        if self._owner:
            hint += f", and the bucket must belong to the account {self._owner}"
        return hint

    def _sign(self, operation: str, path: str | None, params: Mapping[str, str]) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        where = {"Bucket": self.bucket} if path is None else {"Bucket": self.bucket, "Key": path}
        try:
            return str(
                self.client.generate_presigned_url(
                    operation, Params={**where, **params}, ExpiresIn=_SIGNED_FOR_SECONDS
                )
            )
        except (BotoCoreError, ClientError) as err:
            raise _signing_error(self.place(path), err) from err

    def _rejected(
        self, place: str, method: str, response: Response, content: Content | None
    ) -> KopsAssetsError:
        found = _CODE.search(response.read())
        code = found[1].decode() if found else ""
        what = f"{place}: {method} answered {response.status} {code}".rstrip()
        if content and code in ("BadDigest", "XAmzContentChecksumMismatch"):
            what += f": expected sha256 {content.sha}, which was sent, but other bytes arrived"
            return ChecksumMismatchError(f"{what}; nothing was stored", side=Side.TARGET)
        if code == "RequestTimeout":
            # Nothing came for 20 seconds, since the source was silent: no fault of the request's.
            return ServerFailedError(what, side=Side.TARGET)
        if response.status == 404:
            hint = "" if code == "NoSuchKey" else "; the bucket must be made first"
            return NotFoundError(what + hint, side=Side.TARGET)
        region = response.headers.get("x-amz-bucket-region")
        if region and region != self.client.meta.region_name:
            what += f"; the bucket is in {region}, the AWS connection says"
            what += f" {self.client.meta.region_name}: set its region_name"
        return RequestRejectedError(what, side=Side.TARGET)


def check_owner(owner: str | None) -> str | None:
    """Return ``owner`` if it is an AWS account or None, else raise InvalidInputError."""
    if owner is not None and not _ACCOUNT.fullmatch(owner):
        raise InvalidInputError("bucket owner", [f"{owner!r} is no AWS account of 12 digits"])
    return owner


def signing_config(config: Any = None) -> Any:
    """
    Return botocore's ``Config`` for a client whose requests are signed as ``S3Requests`` needs.

    :param config: what else it has to say.
    """
    from botocore.config import Config

    # Version 2, boto3's choice for an endpoint of one's own, leaves conditions unsigned.
    own = Config(signature_version="s3v4")
    return config.merge(own) if config else own


def s3_http_client(client: Any, ca_file: str | None = None) -> HttpClient:
    """
    Return an HTTP client that goes the way which a boto3 client goes.

    Proxies, and the certificate that is shown, are those of the client's ``Config``; without them
    the environment says.

    :param ca_file: PEM file of the authorities to trust; by default that of AWS_CA_BUNDLE, of the
        AWS profile, of REQUESTS_CA_BUNDLE, or the system's.
    """
    from botocore.session import Session

    config = client.meta.config
    scheme = client.meta.endpoint_url.partition("://")[0]
    if ca_file is None:
        ca_file = Session().get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    cert, key = config.client_cert, None
    if isinstance(cert, tuple):
        cert, key = cert
    return HttpClient(
        ca_file=ca_file,
        client_cert=cert,
        client_key=key,
        proxy=(config.proxies or {}).get(scheme),
        proxy_ca_file=(config.proxies_config or {}).get("proxy_ca_bundle"),
    )


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
