"""Paths inside a store."""

from __future__ import annotations

from kops_assets_provider.exceptions import InvalidInputError

_MAX_BYTES = 1024  # of a key, in S3 and in Google Cloud Storage alike


def check_path(path: str) -> str:
    """
    Return ``path`` if it stays inside its store, in every store.

    Object stores would take ``..`` for a name like others, but what serves the files may not.

    :raises InvalidInputError: it is absolute, has an empty part, ``.`` or ``..``, a control
        character, or more than 1024 bytes.
    """
    problems = []
    if any(part in ("", ".", "..") for part in path.split("/")):
        problems.append("must have no leading slash and no empty, '.' or '..' part")
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        problems.append("must have no control characters")
    if len(path.encode(errors="surrogatepass")) > _MAX_BYTES:
        problems.append(f"must not exceed {_MAX_BYTES} bytes")
    if problems:
        raise InvalidInputError(f"path {path[:_MAX_BYTES]!r}", problems)
    return path
