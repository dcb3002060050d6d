"""
S3 in this process: what our store needs of it, with faults and a record of every request.

https://docs.aws.amazon.com/AmazonS3/latest/API/. Buckets are in the path (``/bucket/key``). It does
as AWS does where other servers do not: owners, rights, encryption, storage classes, pages. It does
**not** verify signatures, which SeaweedFS is there for; it only knows whether there is one, and
which headers it is said to cover. What it does not know it refuses with 501 NotImplemented, for
instance multipart uploads, versions, copies and bodies in signed chunks. Objects are in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.component import S3Component
from tests.support.content import content_response
from tests.support.http_server import HttpServer
from tests.support.messages import Request, Response
from tests.support.s3.access import (
    check_owner,
    check_signed_headers,
    is_identified,
    operation_params,
)
from tests.support.s3.errors import XmlError, access_denied, not_implemented
from tests.support.s3.listing import list_objects
from tests.support.s3.objects import Bucket, StoredObject
from tests.support.s3.uploads import check_head, receive

__all__ = ["OWNER", "Bucket", "S3Server", "StoredObject"]

OWNER = "111122223333"
_MAX_KEY = 1024  # bytes


class S3Server(HttpServer):
    """
    A fake S3. Its options are attributes too, and may be changed while it runs.

    A conflict of two writers is had by ``Fault("PUT", status=409, body=...)``.

    :param buckets: their names; or their names with the accounts, 12 digits, that own them.
    :param requester_may_list: otherwise listing is denied, and so is what is not there, as to who
        lacks ``s3:ListBucket``.
    :param public: everybody may read objects, not list them. Who does not say who asks may
        otherwise read only objects whose ACL lets everybody.
    :param takes_acls: otherwise ACLs are refused, as by a bucket whose owner owns all objects.
    :param checks: compare bodies with their checksums and keep those; some servers ignore them.
    :param page_size: of listings, at most.
    :param max_bytes: of an object.
    :param options: port, certificate, key and access_log, see :class:`HttpServer`.
    """

    def __init__(
        self,
        buckets: Iterable[str] | Mapping[str, str] = ("files",),
        *,
        requester_may_list: bool = True,
        public: bool = False,
        takes_acls: bool = True,
        checks: bool = True,
        page_size: int = 1000,
        max_bytes: int = 5 << 30,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        owners = buckets if isinstance(buckets, Mapping) else dict.fromkeys(buckets, OWNER)
        self.buckets = {name: Bucket(name, owner) for name, owner in owners.items()}
        self.requester_may_list = requester_may_list
        self.public = public
        self.takes_acls = takes_acls
        self.checks = checks
        self.page_size = page_size
        self.max_bytes = max_bytes

    def put(self, bucket: str, key: str, data: bytes, **said: Any) -> StoredObject:
        """Store an object without a request; ``said`` goes to :class:`StoredObject`."""
        stored = self.buckets[bucket].objects[key] = StoredObject(data, **said)
        return stored

    def client(self, **config: Any) -> Any:
        """Return a boto3 client for it; ``config`` goes to ``botocore.config.Config``."""
        url = urlsplit(self.url)
        component = S3Component(url.port or 0, Path(os.devnull), scheme=url.scheme)
        return component.client(**config)

    def answer(self, request: Request) -> Response:
        """Answer as S3 does, refusals included."""
        try:
            return self._route(request)
        except XmlError as error:
            return error.response(request.method)

    def _route(self, request: Request) -> Response:
        name, _, key = request.path.removeprefix("/").partition("/")
        bucket = self.buckets.get(name)
        if bucket is None:
            raise XmlError(404, "NoSuchBucket", "The specified bucket does not exist")
        check_owner(request, bucket)
        check_signed_headers(request)
        if not key:
            return self._answer_for_bucket(request, bucket)
        if len(key.encode()) > _MAX_KEY:
            raise XmlError(400, "KeyTooLongError", "Your key is too long")
        if params := operation_params(request):
            raise not_implemented(f"{request.method} with {', '.join(params)}")
        if request.method in {"GET", "HEAD"}:
            return self._read(request, bucket, key)
        if request.method == "PUT":
            return self._write(request, bucket, key)
        raise not_implemented(f"{request.method} of an object")

    def _answer_for_bucket(self, request: Request, bucket: Bucket) -> Response:
        if not self._may_list(request):
            raise access_denied()
        if request.method == "HEAD":
            return Response(200)
        if request.method == "GET":
            return list_objects(request, bucket, self.page_size)
        raise not_implemented(f"{request.method} of a bucket")

    def _may_list(self, request: Request) -> bool:
        return self.requester_may_list and is_identified(request)

    def _read(self, request: Request, bucket: Bucket, key: str) -> Response:
        stored = bucket.objects.get(key)
        readable = is_identified(request) or self.public or (stored and stored.is_public)
        # Who may not list must not learn what is there either.
        if not readable or (stored is None and not self._may_list(request)):
            raise access_denied()
        if stored is None:
            raise XmlError(404, "NoSuchKey", "The specified key does not exist.")
        with_checksum = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
        headers = stored.headers(with_checksum=with_checksum)
        response = content_response(request, stored.data, stored.etag, headers)
        if response.status == 416:
            span = {"Content-Range": response.headers["Content-Range"]}
            message = "The requested range is not satisfiable"
            raise XmlError(416, "InvalidRange", message, span)
        return response

    def _write(self, request: Request, bucket: Bucket, key: str) -> Response:
        if not is_identified(request):
            raise access_denied()
        check_head(request, self.max_bytes, takes_acls=self.takes_acls)
        check = partial(_check_absent, request, bucket, key)
        check()
        stored = receive(request, checks=self.checks)
        # Once more: another writer may have been faster.
        bucket.store(key, stored, check)
        headers = {"ETag": stored.etag, **stored.encryption_headers()}
        if stored.sha256:
            headers["x-amz-checksum-sha256"] = stored.sha256
            headers["x-amz-checksum-type"] = "FULL_OBJECT"
        return Response(200, headers)


def _check_absent(request: Request, bucket: Bucket, key: str) -> None:
    if "If-None-Match" in request.headers and key in bucket.objects:
        message = "At least one of the pre-conditions you specified did not hold"
        raise XmlError(412, "PreconditionFailed", message)
