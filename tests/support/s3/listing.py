"""ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus

from tests.support.messages import Request, Response
from tests.support.s3.access import operation_params
from tests.support.s3.errors import XmlError, document, element, not_implemented
from tests.support.s3.objects import Bucket, StoredObject
from tests.support.s3.pages import Page, page_of

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_MAX_KEYS = 1000
# Parameters that come back in the answer, and their elements there.
_ECHOED = {
    "prefix": "Prefix",
    "delimiter": "Delimiter",
    "start-after": "StartAfter",
    "continuation-token": "ContinuationToken",
    "encoding-type": "EncodingType",
}
_TAKEN = {*_ECHOED, "list-type", "max-keys", "fetch-owner"}
_ENCODED = {"Prefix", "Delimiter", "StartAfter", "Key"}


def list_objects(request: Request, bucket: Bucket, page_size: int = _MAX_KEYS) -> Response:
    """Answer with a page of keys, at most ``page_size`` however many are asked for."""
    params = operation_params(request)
    if params.get("list-type") != "2" or not _TAKEN.issuperset(params):
        raise not_implemented(f"GET of a bucket with {', '.join(params) or 'nothing'}")
    asked = params.get("max-keys", str(_MAX_KEYS))
    if not asked.isdecimal():
        raise XmlError(400, "InvalidArgument", "Provided max-keys not an integer")
    objects = bucket.snapshot()
    size = min(int(asked), _MAX_KEYS)
    page = _page(objects, params, min(size, page_size))
    parts = [element("Name", bucket.name), *_head(params, page, size)]
    parts += _entries(objects, page, _Encoder(params.get("encoding-type")))
    root = f'<ListBucketResult xmlns="{_NAMESPACE}">{"".join(parts)}</ListBucketResult>'
    return Response(200, {"Content-Type": "application/xml"}, document(root))


def _page(objects: Mapping[str, StoredObject], params: Mapping[str, str], size: int) -> Page:
    try:
        return page_of(
            (key for key in objects if key > params.get("start-after", "")),
            size,
            prefix=params.get("prefix", ""),
            delimiter=params.get("delimiter", ""),
            token=params.get("continuation-token", ""),
        )
    except ValueError as err:
        message = "The continuation token provided is incorrect"
        raise XmlError(400, "InvalidArgument", message) from err


class _Encoder:
    """Writes elements, in the encoding that the client has asked for."""

    def __init__(self, encoding: str | None) -> None:
        if encoding not in {None, "url"}:
            message = "Invalid Encoding Method specified in Request"
            raise XmlError(400, "InvalidArgument", message)
        self._url = encoding == "url"

    def element(self, name: str, value: object) -> str:
        if self._url and name in _ENCODED:
            value = quote_plus(str(value), safe="/*")
        return element(name, value)


def _head(params: Mapping[str, str], page: Page, size: int) -> Iterator[str]:
    encoder = _Encoder(params.get("encoding-type"))
    # S3 sends the prefix even if there is none.
    for param, name in _ECHOED.items():
        if param in params or param == "prefix":
            yield encoder.element(name, params.get(param, ""))
    yield element("KeyCount", len(page))
    yield element("MaxKeys", size)
    yield element("IsTruncated", str(page.next_token is not None).lower())
    if page.next_token is not None:
        yield element("NextContinuationToken", page.next_token)


def _entries(objects: Mapping[str, StoredObject], page: Page, encoder: _Encoder) -> Iterator[str]:
    for key in page.names:
        yield f"<Contents>{encoder.element('Key', key)}{_contents(objects[key])}</Contents>"
    for prefix in page.prefixes:
        yield f"<CommonPrefixes>{encoder.element('Prefix', prefix)}</CommonPrefixes>"


def _contents(stored: StoredObject) -> str:
    modified = stored.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    parts = [element("LastModified", modified), element("ETag", stored.etag)]
    # That there is a SHA-256 is told, but not which.
    if stored.sha256:
        parts.append(element("ChecksumAlgorithm", "SHA256"))
        parts.append(element("ChecksumType", "FULL_OBJECT"))
    parts.append(element("Size", len(stored.data)))
    parts.append(element("StorageClass", stored.storage_class or "STANDARD"))
    return "".join(parts)
