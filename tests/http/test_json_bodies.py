"""JSON from servers: one encoding, one meaning, and limits."""

from __future__ import annotations

import pytest

from kops_assets_provider.http.json_bodies import parse_json


def nested(depth):
    return [nested(depth - 1)] if depth > 1 else []


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' {"a": [1, null, "x"]} \n', {"a": [1, None, "x"]}),
        ('"\u00fc\U0001f600"'.encode(), "\u00fc\U0001f600"),
        (b"5", 5),
        (b'{"a":' * 2 + b"[" * 98 + b"]" * 98 + b"}" * 2, {"a": {"a": nested(98)}}),
    ],
)
def test_json_is_read(raw, value):
    """Any value, in UTF-8, up to a hundred deep."""
    assert parse_json(raw) == value


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "Expecting value"),
        (b"{", "Expecting property name"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        ('{"a": 1}'.encode("utf-16"), "not text in UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "Expecting"),
        ('{"a": 1}'.encode("utf-32-be"), "Expecting"),
        (b'"\xed\xa0\x80"', "not text in UTF-8"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"9" * 5000, "digits"),
        (b"[" * 101 + b"]" * 101, "nested too deep"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "nested too deep"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_not_plain_json_is_refused(raw, problem):
    """Two readers could read two things in it, or crash."""
    with pytest.raises(ValueError, match=problem):
        parse_json(raw)
