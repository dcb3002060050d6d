"""Who asks, and whether all that has to be signed is said to be. Signatures are not looked at."""

from __future__ import annotations

import re

from tests.support.messages import Request
from tests.support.s3.errors import XmlError, access_denied
from tests.support.s3.objects import Bucket

_SIGNED_HEADERS = re.compile(r"SignedHeaders=([^,\s]+)")


def is_identified(request: Request) -> bool:
    """Tell whether somebody says who asks, by a header or in a presigned URL."""
    return "Authorization" in request.headers or "X-Amz-Signature" in request.params


def operation_params(request: Request) -> dict[str, str]:
    """Return the parameters without those that sign, or repeat what the method says."""
    return {
        name: value
        for name, value in request.params.items()
        if not name.lower().startswith("x-amz-") and name != "x-id"
    }


def check_owner(request: Request, bucket: Bucket) -> None:
    """Refuse a request that is meant for a bucket of somebody else."""
    expected = request.headers.get("x-amz-expected-bucket-owner", bucket.owner)
    if expected != bucket.owner:
        raise access_denied()


def check_signed_headers(request: Request) -> None:
    """Refuse what S3 refuses: ``x-amz-`` headers that are not signed, or signed and not there."""
    authorization = _SIGNED_HEADERS.search(request.headers.get("Authorization", ""))
    said = authorization[1] if authorization else request.params.get("X-Amz-SignedHeaders")
    if said is None:
        return
    signed = set(said.split(";"))
    sent = {name.lower() for name in request.headers}
    unsigned = {name for name in sent - signed if name.startswith("x-amz-")}
    # A presigned URL may be used by who cannot know the hash of what is sent.
    if unsigned - {"x-amz-content-sha256"}:
        message = "There were headers present in the request which were not signed"
        raise XmlError(403, "AccessDenied", message)
    if signed - sent:
        message = "The request signature we calculated does not match the signature you provided."
        raise XmlError(403, "SignatureDoesNotMatch", message)
