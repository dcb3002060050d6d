"""
JSON from servers: UTF-8 without a byte order mark, as RFC 8259, section 8.1, requires it.

``json.loads`` guesses the encoding of bytes and keeps the last of two equal keys. Another reader of
the same bytes, such as the node that pulls a manifest, may guess and pick differently.
"""

from __future__ import annotations

import json
from typing import Any

_MAX_DEPTH = 100


def parse_json(raw: bytes) -> Any:
    """
    Return the value of a JSON text.

    :raises ValueError: the bytes are not UTF-8, begin with a byte order mark, or are not JSON; an
        object has a key twice; it is nested more than 100 deep or has a number of too many digits.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as err:
        raise ValueError(f"it is not text in UTF-8: {err.reason}") from None
    if text.startswith("\N{BOM}"):
        raise ValueError("it begins with a byte order mark")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    # How deep Python's recursion may go depends on the caller: what is read must also be written.
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_MAX_DEPTH):
        nested = (x.values() if isinstance(x, dict) else x for x in level)
        level = [child for x in nested for child in x if isinstance(child, dict | list)]
        if not level:
            return
    raise ValueError("it is nested too deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
