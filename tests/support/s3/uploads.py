"""PutObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace

from tests.support.messages import Request
from tests.support.s3.errors import XmlError, not_implemented
from tests.support.s3.objects import StoredObject

_CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "content-md5": lambda data: hashlib.md5(data, usedforsecurity=False).digest(),
}
_UNKNOWN = {"if-match", "x-amz-copy-source", "x-amz-tagging", "x-amz-write-offset-bytes"}
_OWNERS_ACLS = {None, "bucket-owner-full-control"}
_ACLS = {
    *_OWNERS_ACLS,
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
}
_ENCRYPTIONS = {None, "AES256", "aws:kms", "aws:kms:dsse"}


def check_head(request: Request, max_bytes: int, *, takes_acls: bool) -> None:
    """Refuse what can be refused before the body is read."""
    _check_known(request)
    length = request.headers.get("Content-Length")
    if length is None:
        message = "You must provide the Content-Length HTTP header."
        raise XmlError(411, "MissingContentLength", message)
    if int(length) > max_bytes:
        message = "Your proposed upload exceeds the maximum allowed size"
        raise XmlError(400, "EntityTooLarge", message)
    _check_acl(request, takes_acls)
    _check_encryption(request)


def _check_known(request: Request) -> None:
    names = {name.lower() for name in request.headers}
    unknown = {x for x in names - set(_CHECKSUMS) if x.startswith("x-amz-checksum-")}
    unknown |= names & _UNKNOWN
    if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        unknown.add("a body in signed chunks")
    if request.headers.get("If-None-Match") not in {None, "*"}:
        unknown.add("If-None-Match with an ETag")
    if unknown:
        raise not_implemented(", ".join(sorted(unknown)))


def _check_acl(request: Request, takes_acls: bool) -> None:
    acl = request.headers.get("x-amz-acl")
    if acl not in _ACLS:
        raise XmlError(400, "InvalidArgument", f"no canned ACL: {acl}")
    if not takes_acls and acl not in _OWNERS_ACLS:
        raise XmlError(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")


def _check_encryption(request: Request) -> None:
    method = request.headers.get("x-amz-server-side-encryption")
    if method not in _ENCRYPTIONS:
        message = "The encryption method specified is not supported"
        raise XmlError(400, "InvalidArgument", message)
    key = request.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
    if key and not str(method).startswith("aws:kms"):
        message = "A key of KMS goes with aws:kms only"
        raise XmlError(400, "InvalidArgument", message)


def receive(request: Request, *, checks: bool) -> StoredObject:
    """
    Read the body and return the object to store.

    :param checks: compare the body with its checksums; otherwise ignore and forget them.
    """
    if not checks:
        return replace(_stored(request, request.body.read()), sha256=None)
    said = {name: request.headers[name] for name in _CHECKSUMS if name in request.headers}
    expected = {name: _decoded(name, value) for name, value in said.items()}
    data = request.body.read()
    for name, digest in expected.items():
        if _CHECKSUMS[name](data) != digest:
            algorithm = name.rpartition("-")[2].upper()
            message = f"The {algorithm} you specified did not match the calculated checksum."
            raise XmlError(400, "BadDigest", message)
    payload = request.headers.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    if payload not in {"UNSIGNED-PAYLOAD", hashlib.sha256(data).hexdigest()}:
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        raise XmlError(400, "XAmzContentSHA256Mismatch", message)
    return _stored(request, data)


def _decoded(name: str, value: str) -> bytes:
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != len(_CHECKSUMS[name](b"")):
        code = "InvalidDigest" if name == "content-md5" else "InvalidRequest"
        raise XmlError(400, code, f"Value for {name} header is invalid.")
    return digest


def _stored(request: Request, data: bytes) -> StoredObject:
    headers = request.headers
    meta = "x-amz-meta-"
    return StoredObject(
        data,
        sha256=headers.get("x-amz-checksum-sha256"),
        server_side_encryption=headers.get("x-amz-server-side-encryption"),
        kms_key=headers.get("x-amz-server-side-encryption-aws-kms-key-id"),
        acl=headers.get("x-amz-acl"),
        storage_class=headers.get("x-amz-storage-class"),
        content_type=headers.get("Content-Type", "binary/octet-stream"),
        metadata={
            name.lower().removeprefix(meta): value
            for name, value in headers.items()
            if name.lower().startswith(meta)
        },
    )
