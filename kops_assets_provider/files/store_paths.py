"""Check the paths of files in a store, and choose their media types."""

from __future__ import annotations

from pathlib import PurePosixPath

from kops_assets_provider.exceptions import InvalidInputError

_MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".json": "application/json"}
_MAX_BYTES = 1024  # of a key, in S3 and in Google Cloud Storage alike


def media_type(path: str) -> str:
    """Return what an object is served as: a report is to be read, all else to be downloaded."""
    return _MEDIA_TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")


def check_path(path: str) -> str:
    """
    Return ``path`` if it stays inside its store, in every store.

    Object stores would take ``..`` for a name like others, but what serves the files may not.

    :raises InvalidInputError: it is absolute, has an empty part, ``.`` or ``..``, a control
        character, a lone surrogate, or more than 1024 bytes.
    """
    problems = []
    if any(part in ("", ".", "..") for part in path.split("/")):
        problems.append("must have no leading slash and no empty, '.' or '..' part")
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        problems.append("must have no control characters")
    if any("\ud800" <= c <= "\udfff" for c in path):
        problems.append("must have no lone surrogates: no encoding can write them")
    if len(path.encode(errors="surrogatepass")) > _MAX_BYTES:
        problems.append(f"must not exceed {_MAX_BYTES} bytes")
    if problems:
        raise InvalidInputError(f"path {path[:_MAX_BYTES]!r}", problems)
    return path
