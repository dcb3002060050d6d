"""Options that come as a mapping: each is read, and all that is wrong is told at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError

Reader = Callable[[Any], Any]
# How each option is read, which gives None for what it cannot be, and what is expected.
Readers = Mapping[str, tuple[Reader, str]]


def read_options(
    where: str,
    options: Mapping[str, Any],
    readers: Readers,
    check: Callable[[Mapping[str, Any]], str | None] = lambda _: None,
) -> dict[str, Any]:
    """
    Return the values of options, those left out that are None.

    :param where: names the options in the error.
    :param check: says what is wrong with the values together, if anything.
    :raises InvalidInputError: something is wrong; the message has all of it.
    """
    values, problems = {}, []
    for name, value in options.items():
        if name not in readers:
            problems.append(f"{name!r} is none of {', '.join(readers)}")
        elif value is not None:
            read, expected = readers[name]
            values[name] = read(value)
            if values[name] is None:
                problems.append(f"{name}: expected {expected}")
    if problem := check(values):
        problems.append(problem)
    if problems:
        raise InvalidInputError(where, problems)
    return values


def one_of(*allowed: str) -> tuple[Reader, str]:
    """Read one of some words."""
    *others, last = allowed
    expected = f"{', '.join(others)} or {last}"
    return (lambda value: value if value in allowed else None), expected


def flag(value: Any) -> bool | None:
    """Read a boolean, also from its text."""
    return {"true": True, "false": False}.get(str(value).lower())


def text(value: Any) -> str | None:
    """Read a text that is not empty."""
    return value if isinstance(value, str) and value else None


def mapping(value: Any) -> dict[str, Any] | None:
    """Read a mapping, also from its JSON: what comes out of a template is text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return dict(value) if isinstance(value, Mapping) else None
