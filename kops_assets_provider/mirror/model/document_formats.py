"""
Documents that we write beside a mirror: records, reports and lists.

Each begins with a key that names its format. We replace a document only if it begins so: whoever
names the wrong place by an option, or in a list, must not lose a file that is not ours.
"""

from __future__ import annotations

import re
from enum import StrEnum

from kops_assets_provider.exceptions import NotFoundError, UnsupportedTargetError
from kops_assets_provider.files.ports import FileStore

FORMAT_KEY = "format"
_HEAD_BYTES = 200
# JSON, YAML, or the comment at the beginning of a page.
_HEAD = re.compile(
    rb"""(?:<!doctype\ html>\s*<!--\ |\{\s*")?format"?\s*:\s*"?([a-z-]+)""", re.VERBOSE
)


class Format(StrEnum):
    """What the key ``format``, the first of a document, says."""

    RECORD = "kops-assets-record"
    REPORT = "kops-assets-report"
    LIST = "kops-assets-list"


def format_of(document: bytes) -> str | None:
    """Return the format that a document begins with; None if it begins with something else."""
    found = _HEAD.match(document[:_HEAD_BYTES])
    return found[1].decode() if found else None


def refuse_foreign(store: FileStore, path: str, expected: Format, where: str) -> None:
    """
    Check that a document may be written: there is none yet, or one of the same format.

    One request. Only the beginning of the document is read.

    :param where: the document's place, for messages.
    :raises UnsupportedTargetError: the document there is not ours.
    :raises KopsAssetsError: what the store raises.
    """
    head = b""
    try:
        with store.read(path) as chunks:
            for chunk in chunks:
                head += chunk
                if len(head) >= _HEAD_BYTES:
                    break
    except NotFoundError:
        return
    if format_of(head) != expected:
        raise foreign(expected, where)


def foreign(expected: Format, where: str) -> UnsupportedTargetError:
    """Return the error for a document that is not ours."""
    return UnsupportedTargetError(
        f"{where} is not replaced: the document there does not begin with the format {expected}, "
        "so it is not ours; move it away, or choose another place"
    )
