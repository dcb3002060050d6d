"""
JSON from servers: UTF-8 without a byte order mark, as RFC 8259, section 8.1, requires it.

``json.loads`` guesses the encoding of bytes and keeps the last of two equal keys. Another reader of
the same bytes, such as the node that pulls a manifest, may guess and pick differently.
"""

from __future__ import annotations

import json
from typing import Any


def parse_json(raw: bytes) -> Any:
    """
    Return the value of a JSON text.

    :raises ValueError: the bytes are not UTF-8, begin with a byte order mark, or are not JSON; an
        object has a key twice; the text is nested too deep or has a number of too many digits.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as err:
        raise ValueError(f"it is not text in UTF-8: {err.reason}") from None
    if text.startswith("\N{BOM}"):
        raise ValueError("it begins with a byte order mark")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
