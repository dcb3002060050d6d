"""
Read JSON documents that somebody else may have written: bounded, and checked value by value.

A *check* takes a value of a parsed document and returns it as our type, or raises ``WrongValue``.
Checks are made by the functions below and combined; none of their messages repeats the value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, TypeVar

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.model.times import parse_time

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Check = Callable[[Any], T]

MAX_BYTES = 16 << 20  # of a document; what a state store reads, too
NAME = 8192  # characters of a name or URL, a signed one too
_LINE = 1000
_WORDS = 10_000
_MAX_NUMBER = (1 << 63) - 1
_MAX_SECONDS = 1e9


class WrongValue(ValueError):  # noqa: N818  # the error is InvalidInputError, which it becomes
    """A value that does not fit; the message starts with its path, such as ``assets[3].size``."""

    def __init__(self, problem: str, path: str = "") -> None:
        self.problem = problem
        self.path = path
        super().__init__(f"{path.removeprefix('.')}: {problem}" if path else problem)

    def inside(self, part: str) -> WrongValue:
        """Return the same problem with ``part`` in front of its path."""
        return WrongValue(self.problem, part + self.path)


def join_chunks(chunks: Iterable[bytes], where: str) -> bytes:
    """Return all bytes of a document; raises InvalidInputError as soon as they exceed 16 MiB."""
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > MAX_BYTES:
            raise InvalidInputError(where, [f"it is longer than {MAX_BYTES} bytes"])
    return bytes(data)


def parse_json(raw: bytes | str, where: str) -> Any:
    """
    Return the values of a JSON document in UTF-8, RFC 8259.

    :raises InvalidInputError: it is not JSON, repeats a key, is longer than 16 MiB, nested more
        than 100 deep, or has more than a million values, or numbers that are not finite.
    """
    # Here, and not above: copies read no documents and need no parser.
    from kops_assets_provider.kops.documents import YamlError, load_json

    if len(raw) > MAX_BYTES:
        raise InvalidInputError(where, [f"it is longer than {MAX_BYTES} bytes"])
    try:
        return load_json(raw if isinstance(raw, str) else raw.decode())
    except UnicodeDecodeError as err:
        raise InvalidInputError(where, [f"it is not UTF-8: {err.reason}"]) from None
    except YamlError as err:
        raise InvalidInputError(where, [str(err)]) from None


def read_value(check: Check[T], value: object, where: str) -> T:
    """Return what ``check`` makes of a value; raises InvalidInputError with where and what."""
    try:
        return check(value)
    except WrongValue as err:
        raise InvalidInputError(where, [str(err)]) from None


def line(most: int = _LINE, pattern: str = ".+") -> Check[str]:
    """Return a check for printable text that matches ``pattern``, of at most so many characters."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: Any) -> str:
        if not isinstance(value, str):
            raise unexpected("text", value)
        if len(value) > most:
            raise WrongValue(f"expected at most {most} characters, got {len(value)}")
        if not value.isprintable():
            raise WrongValue("expected printable characters only")
        if not compiled.fullmatch(value):
            raise WrongValue(f"expected text of the form {pattern}" if value else "it is empty")
        return value

    return check


def words(value: Any) -> str:
    """Check free text for people; it is cut after 10,000 characters and made printable."""
    if not isinstance(value, str):
        raise unexpected("text", value)
    # Here, and not above: a DAG file imports this module, and shows nobody any text.
    from kops_assets_provider.http.urls import printable

    return printable(value[:_WORDS])


def time(value: Any) -> str:
    """Check a time: ISO 8601 with a zone."""
    if not isinstance(value, str):
        raise unexpected("a time", value)
    try:
        parse_time(value)
    except ValueError as err:
        raise WrongValue(str(err)) from None
    return value


def number(most: int = _MAX_NUMBER, least: int = 0) -> Check[int]:
    """Return a check for a whole number."""

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise unexpected("a whole number", value)
        if not least <= value <= most:
            raise WrongValue(f"expected a whole number from {least} to {most}")
        return value

    return check


def seconds(value: Any) -> float:
    """Check a length of time."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise unexpected("seconds", value)
    if not 0 <= value <= _MAX_SECONDS:
        raise WrongValue(f"expected seconds from 0 to {_MAX_SECONDS:.0f}")
    return value


def flag(value: Any) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise unexpected("true or false", value)
    return value


def one_of(kind: type[E]) -> Check[E]:
    """Return a check for a value of an enumeration."""
    members = {str(x): x for x in kind}

    def check(value: Any) -> E:
        if not isinstance(value, str) or value not in members:
            raise WrongValue(f"expected one of {', '.join(kind)}")
        return members[value]

    return check


def optional(inner: Check[T]) -> Check[T | None]:
    """Return a check that takes null as well."""
    return lambda value: None if value is None else inner(value)


def list_of(inner: Check[T], most: int) -> Check[tuple[T, ...]]:
    """Return a check for a list of at most so many values."""

    def check(value: Any) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise unexpected("a list", value)
        if len(value) > most:
            raise WrongValue(f"expected at most {most} values, got {len(value)}")
        found: list[T] = []
        try:
            # One by one, so that the error knows at which it was.
            found.extend(map(inner, value))
        except WrongValue as err:
            raise err.inside(f"[{len(found)}]") from None
        return tuple(found)

    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """Where the value of a field is in a mapping; with no key the field is read from all of it."""

    key: str | None
    check: Check[Any]


def under(key: str, check: Check[Any]) -> _Field:
    """Return a check for a field whose key is not its name."""
    return _Field(key=key, check=check)


def part(check: Check[Any]) -> _Field:
    """Return a check for a field whose own fields are beside the others, in one level."""
    return _Field(key=None, check=check)


def fields_of(cls: type[T], **checks: Check[Any] | _Field) -> Check[T]:
    """
    Return a check for a mapping with the fields of a dataclass or a named tuple.

    A field with a default may be absent, and a key without a check is ignored: a newer release of
    this package may write more.
    """
    places = [
        (name, x.key, x.check) if isinstance(x, _Field) else (name, name, x)
        for name, x in checks.items()
    ]
    required = _required(cls)
    needed = {key for name, key, _ in places if key is not None and name in required}

    def check(value: Any) -> T:
        if not isinstance(value, Mapping):
            raise unexpected("a mapping", value)
        if missing := sorted(needed - value.keys()):
            raise WrongValue(f"it has no {missing[0]}")
        found, path = {}, ""
        try:
            for name, key, one in places:
                path = "" if key is None else f".{key}"
                if key is None:
                    found[name] = one(value)
                elif key in value:
                    found[name] = one(value[key])
        except WrongValue as err:
            raise err.inside(path) from None
        return cls(**found)

    return check


def _required(cls: Any) -> set[str]:
    if hasattr(cls, "_field_defaults"):  # a named tuple
        return set(cls._fields) - set(cls._field_defaults)
    return {x.name for x in fields(cls) if x.default is MISSING and x.default_factory is MISSING}


_WORDS_FOR = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def unexpected(expected: str, value: object) -> WrongValue:
    """Return the error for a value of another type; the value itself is not shown."""
    return WrongValue(f"expected {expected}, got {_WORDS_FOR.get(type(value), 'another type')}")
