"""Any bytes, and valid examples with something changed in them: a few seconds for each target."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

PIECES = [
    b"9" * 20,
    b'"',
    b"\\",
    b",",
    b"=",
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 500,
    b"\xff\xfe",
    b"\0",
]
PIECES += [b"\xef\xbb\xbf", b"-1", b"1e999", b"NaN", b"null", b"true", b"[]", b"{}", b'""', b"%"]
PIECES += ["\u0661\U0001f600".encode(), b"\x1b[2J", b"\r\n", b"@sha512:", b"&a *a", b"!!int x"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=5,
)


@st.composite
def _cut(draw, seeds):
    """Replace a part of an example by something that nobody expects there."""
    seed = draw(st.sampled_from(seeds))
    begin = draw(st.integers(0, len(seed)))
    end = draw(st.integers(begin, min(len(seed), begin + 20)))
    piece = draw(st.sampled_from(PIECES) | st.binary(max_size=20))
    return seed[:begin] + piece + seed[end:]


def _replaced(draw, value):
    """Replace one value somewhere in a document, or leave it out."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 4)):
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        key = draw(st.sampled_from(list(keys)))
        copy = value.copy()
        if draw(st.integers(0, 9)):
            copy[key] = _replaced(draw, value[key])
        else:
            del copy[key]
        return copy
    return draw(VALUES)


@st.composite
def _of_other_types(draw, seeds):
    document = json.loads(draw(st.sampled_from(seeds)))
    return json.dumps(_replaced(draw, document)).encode()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_nothing_but_our_errors_comes_out(target):
    """A target raises AssertionError, or what is no error of ours, if it is wrong."""
    strategies = [st.binary(max_size=200), _cut(target.seeds)]
    if documents := [x for x in target.seeds if x.startswith(b"{")]:
        strategies += [_of_other_types(documents)] * 2

    @settings(max_examples=300)
    @given(st.one_of(strategies))
    def check(data):
        target.check(data)

    check()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_valid_examples_are_read(target):
    """Otherwise all that is made of them would be refused for the same reason."""
    for seed in target.seeds:
        target.read(seed)
