"""Answer GET and HEAD for a piece of content, with conditions and ranges (RFC 9110, 13, 14)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.support.messages import CHUNK_BYTES, Request, Response

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def content_response(
    request: Request, content: bytes | Path, etag: str, headers: Mapping[str, str] | None = None
) -> Response:
    """
    Return the answer to a GET or HEAD of ``content``: 200, 206, 304 or 416.

    :param content: the bytes, or the file that has them, which is streamed.
    :param etag: strong entity tag, quotes included.
    :param headers: what the answer has besides.
    """
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    common = {**(headers or {}), "Accept-Ranges": "bytes", "ETag": etag}
    if request.headers.get("If-None-Match") in {etag, "*"}:
        return Response(304, common)
    span = _requested_span(request, size, etag)
    if span is None:
        return Response(200, common, _slice(content, 0, size), size)
    start, end = span
    if start >= end:
        return Response(416, {**common, "Content-Range": f"bytes */{size}"})
    common["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(206, common, _slice(content, start, end), end - start)


def _requested_span(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """Return start and end (exclusive) of the range to serve; None means all of the content."""
    match = _RANGE.match(request.headers.get("Range", ""))
    # A range of a version that is no longer there must not be glued to the old one's beginning.
    if not match or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = match.groups()
    if first:
        return int(first), min(int(last) + 1 if last else size, size)
    return (max(size - int(last), 0), size) if last else None


def _slice(content: bytes | Path, start: int, end: int) -> bytes | Iterator[bytes]:
    return content[start:end] if isinstance(content, bytes) else _read_slice(content, start, end)


def _read_slice(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while start < end:
            chunk = file.read(min(CHUNK_BYTES, end - start))
            if not chunk:
                raise ConnectionAbortedError(f"{path} became shorter while it was served")
            start += len(chunk)
            yield chunk
