"""
Resumable uploads: https://docs.cloud.google.com/storage/docs/performing-resumable-uploads.

A session is opened, gets its bytes by one request or by several, and makes an object when it has
them all.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.support.gcs.errors import JsonError, invalid, not_implemented
from tests.support.gcs.objects import Bucket, StoredObject
from tests.support.messages import Request, Response
from tests.support.registry.errors import json_response

_BLOCK = 256 << 10  # bytes; Google keeps multiples of it, until the last byte is there
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_HASH_NAMES = {"md5Hash": "md5", "crc32c": "crc32c"}


@dataclass(frozen=True, slots=True)
class _Span:
    """What a PUT brings: where it begins, how long it is, and of how many bytes if that is said."""

    start: int
    length: int
    total: int | None

    @property
    def is_last(self) -> bool:
        return self.start + self.length == self.total


@dataclass
class Session:
    """An upload under way, or ended: then ``stored`` is what it made."""

    id: str
    bucket: Bucket
    description: Mapping[str, Any]
    params: Mapping[str, str]
    size: int | None
    """In bytes, as it was said when the session was opened."""
    data: bytearray = field(default_factory=bytearray)
    stored: StoredObject | None = None
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.description["name"])

    def keep(self, start: int, data: bytes, *, whole: bool) -> None:
        """Append what is new of some bytes; of a request that broke off, whole blocks only."""
        with self.lock:
            # What Google has already it does not take again.
            new = data[len(self.data) - start :]
            end = len(self.data) + len(new)
            if not whole:
                end -= end % _BLOCK
            self.data += new[: max(0, end - len(self.data))]

    def result(self) -> StoredObject:
        """Return the object that its bytes make."""
        said = self.description
        return StoredObject(
            self.bucket.name,
            self.name,
            bytes(self.data),
            metadata=said.get("metadata"),
            content_type=said.get("contentType"),
            storage_class=said.get("storageClass", "STANDARD"),
            kms_key=self.params.get("kmsKeyName"),
            predefined_acl=self.params.get("predefinedAcl"),
            user_project=self.params.get("userProject"),
        )


class Uploads:
    """The sessions of a server. ``cancelled`` has the ids of those that were cancelled."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}
        self.cancelled: list[str] = []
        self._opened = 0
        self._lock = threading.Lock()

    def open(self, request: Request, bucket: Bucket, url: str) -> Response:
        """Open a session, and tell its URL, which is that of the request with its id."""
        params = request.params
        if params.get("uploadType") != "resumable":
            raise not_implemented(f"uploadType={params.get('uploadType')}")
        description = _description(request)
        bucket.check_conditions(params, description["name"])
        size = request.headers.get("X-Upload-Content-Length")
        with self._lock:
            session_id = f"session-{self._opened}"
            self._opened += 1
            self.sessions[session_id] = Session(
                session_id, bucket, description, params, int(size) if size else None
            )
        query = urlencode({"uploadType": "resumable", "upload_id": session_id})
        headers = {"Location": f"{url}?{query}", "X-GUploader-UploadID": session_id}
        return Response(200, headers)

    def send(self, request: Request) -> Response:
        """Take bytes in, or tell how many there are; answer with the object when it is whole."""
        session = self._find(request)
        if session.stored:
            return json_response(session.stored.description())
        span = _span(request)
        _check_span(session, span)
        _receive(request, session, span)
        with session.lock:
            if len(session.data) == span.total:
                return self._finish(request, session)
            last = len(session.data) - 1
        return Response(308, {"Range": f"bytes=0-{last}"} if last >= 0 else {})

    def cancel(self, request: Request) -> Response:
        """Throw a session away: 499 is Google's word for having done so."""
        session = self._find(request)
        if session.stored:
            raise _no_session()
        with session.lock:
            del self.sessions[session.id]
            self.cancelled.append(session.id)
        return Response(499)

    def _find(self, request: Request) -> Session:
        session_id = request.params.get("upload_id", "")
        if session_id in self.cancelled:
            raise JsonError(499, "cancelled", "The upload was cancelled")
        if session_id not in self.sessions:
            raise _no_session()
        return self.sessions[session_id]

    def _finish(self, request: Request, session: Session) -> Response:
        if session.stored is None:
            # It may have been cancelled while its last bytes came in.
            self._find(request)
            stored = session.result()
            try:
                _check_hashes(request, session, stored)
                session.bucket.store(
                    stored, lambda: session.bucket.check_conditions(session.params, session.name)
                )
            except JsonError:
                del self.sessions[session.id]
                raise
            session.stored = stored
        return json_response(session.stored.description())


def _description(request: Request) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(request.body.read() or b"{}")
    name = said.get("name") or request.params.get("name")
    if not name:
        raise JsonError(400, "required", "Required parameter: name")
    content_type = request.headers.get("X-Upload-Content-Type")
    return {"contentType": content_type, **said, "name": name}


def _span(request: Request) -> _Span:
    length = request.headers.get("Content-Length")
    if length is None:
        raise JsonError(411, "required", "a PUT needs Content-Length")
    said = request.headers.get("Content-Range")
    if said is None:
        return _Span(0, int(length), int(length))
    match = _CONTENT_RANGE.fullmatch(said)
    if not match:
        raise invalid(f"Failed to parse Content-Range header: {said}")
    first, last, total = match.groups()
    start, end = (int(first), int(last) + 1) if first else (0, 0)
    if end - start != int(length):
        raise invalid(f"Content-Range {said} does not have {length} bytes")
    return _Span(start, end - start, None if total == "*" else int(total))


def _check_span(session: Session, span: _Span) -> None:
    if span.total is not None and session.size not in {None, span.total}:
        raise invalid(f"{session.size} bytes were announced, and now {span.total}")
    if span.total is not None and span.start + span.length > span.total:
        raise invalid("The Content-Range leads beyond the end")
    if span.length % _BLOCK and not span.is_last:
        message = "The number of bytes uploaded is required to be equal or greater than 262144,"
        message += " except for the final request (it's recommended to be the exact multiple of"
        raise invalid(f"{message} 262144). The received request contained {span.length} bytes")
    if span.start > len(session.data):
        message = f"the upload offset is {span.start} byte(s), which exceeds already uploaded size"
        raise JsonError(503, "backendError", f"{message} of {len(session.data)} byte(s)")


def _receive(request: Request, session: Session, span: _Span) -> None:
    data = bytearray()
    try:
        for chunk in request.body:
            data += chunk
    finally:
        if data:
            session.keep(span.start, bytes(data), whole=len(data) == span.length)


def _check_hashes(request: Request, session: Session, stored: StoredObject) -> None:
    """Compare the object with the hashes that were said when it was begun, and at its end."""
    said = [(_HASH_NAMES[k], v) for k, v in session.description.items() if k in _HASH_NAMES]
    for part in ",".join(request.headers.get_all("X-Goog-Hash", [])).split(","):
        name, _, value = part.strip().partition("=")
        said += [(name, value)] if name else []
    for name, value in said:
        actual = stored.hashes().get(name)
        if actual != value:
            label = name.upper()
            message = f'Provided {label} "{value}" doesn\'t match calculated {label} "{actual}".'
            raise invalid(message)


def _no_session() -> JsonError:
    return JsonError(404, "notFound", "There is no such upload")
