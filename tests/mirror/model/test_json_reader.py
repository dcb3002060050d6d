"""Documents that others may have written: bounded, strict, and never an error that is not ours."""

from __future__ import annotations

import itertools

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.model import json_reader as document
from kops_assets_provider.mirror.model.json_reader import (
    MAX_BYTES,
    flag,
    join_chunks,
    line,
    list_of,
    number,
    parse_json,
    read_value,
    seconds,
    time,
    words,
)

DEEP = 200_000


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xef\xbb\xbf{}", "it is not JSON"),
        ('{"a": 1}'.encode("utf-16"), "it is not UTF-8"),
        (b'{"a": "\xff"}', "it is not UTF-8"),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', "the key 'a' occurs twice"),
        (b"[" * DEEP + b"]" * DEEP, "nested more than 100 deep"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "nested more than 100 deep"),
        (b"[" * 101 + b"]" * 101, "nested more than 100 deep"),
        (b"[NaN]", "not finite"),
        (b"[-Infinity]", "not finite"),
        (b"[1e999]", "not finite"),
        (b"[" + b"9" * 5000 + b"]", "it is not JSON"),
        (b"[" + b"[]," * 1_000_000 + b"[]]", "more than 1000000 values"),
        (b" " * MAX_BYTES + b"{}", "longer than 16777216 bytes"),
    ],
    ids=range(15),
)
def test_what_is_no_document(raw, problem):
    """Each ends as our error, which says where and what."""
    with pytest.raises(InvalidInputError, match=problem) as found:
        parse_json(raw, "s3://bucket/c.json")
    assert str(found.value).startswith("s3://bucket/c.json: ")


def test_what_is_one():
    """A hundred levels with a value in them are fine, and so is any text of Unicode."""
    assert parse_json(b"[" * 100 + b"1" + b"]" * 100, "x")
    assert parse_json('{"é": [1, 2.5, "☃", null]}'.encode(), "x") == {"é": [1, 2.5, "☃", None]}


def test_a_huge_object_is_not_read_to_its_end():
    """The limit holds while it streams: here it has no end."""
    taken = itertools.count()
    chunks = (b"x" * (1 << 20) for _ in iter(lambda: next(taken), None))
    with pytest.raises(InvalidInputError, match="longer than"):
        join_chunks(chunks, "x")
    assert next(taken) <= 18
    assert join_chunks([b"a", b"b"], "x") == b"ab"


@pytest.mark.parametrize(
    ("check", "value", "problem"),
    [
        (line(3), "long", "at most 3 characters, got 4"),
        (line(), "a\x1b[31m", "printable"),
        (line(), "\ud800", "printable"),
        (line(), "", "it is empty"),
        (line(9, "[0-9a-f]+"), "xyz", r"of the form \[0-9a-f\]\+"),
        (line(), 1, "expected text, got a number"),
        (number(), True, "expected a whole number, got true or false"),
        (number(), 1.0, "expected a whole number, got a number"),
        (number(), -1, "from 0 to"),
        (number(10), 11, "from 0 to 10"),
        (seconds, float("nan"), "expected seconds"),
        (seconds, 1e300, "expected seconds"),
        (seconds, False, "expected seconds"),
        (flag, 1, "expected true or false, got a number"),
        (time, "2026-11-26T08:00:00", "a time with a zone"),
        (time, "2026-11-26", "a time with a zone"),
        (time, "2026-13-26T08:00:00Z", "a time with a zone"),
        (time, "0001-01-01T00:00:00+14:00", "a time with a zone"),
        (time, "٢٠٢٦-11-26T08:00:00Z", "a time with a zone"),
        (time, 1.0, "expected a time, got a number"),
        (list_of(flag, 2), [True, 1], r"\[1\]: expected true or false"),
        (list_of(flag, 2), [True] * 3, "at most 2 values, got 3"),
        (list_of(flag, 2), {"a": 1}, "expected a list, got a mapping"),
        (words, None, "expected text, got null"),
    ],
)
def test_values_that_do_not_fit(check, value, problem):
    """Nothing of the value itself is repeated: it may be anything, a secret too."""
    with pytest.raises(InvalidInputError, match=problem):
        read_value(check, value, "x")


def test_text_for_people_is_made_fit():
    """A reason is shown, whatever a server has put into it."""
    assert read_value(words, "a\x1b[31m\nb\ud800", "x") == "a [31m b "
    assert len(read_value(words, "x" * 100_000, "x")) == document._WORDS
