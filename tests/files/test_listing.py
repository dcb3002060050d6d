"""Objects are found by few pages, however many others there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.files.listing import find_in_pages
from kops_assets_provider.files.ports import StoredFile

KEYS = st.sets(st.text("ab/.é", min_size=1, max_size=4), max_size=60)


class Bucket:
    """A bucket that lists as S3 does, in pages."""

    def __init__(self, keys, size, *, inclusive=False):
        self.keys = sorted(keys, key=str.encode)
        self.size = size
        self.inclusive = inclusive
        self.asked = []

    def page(self, prefix, start):
        self.asked.append(start)
        begin = start.encode()
        after = [
            x
            for x in self.keys
            if x.startswith(prefix)
            and (x.encode() >= begin if self.inclusive else x.encode() > begin)
        ]
        page = {x: StoredFile(size=len(x)) for x in after[: self.size]}
        return page, len(after) <= self.size


@given(KEYS, KEYS, st.integers(2, 9), st.booleans())
def test_what_is_there_is_found_and_nothing_else(keys, wanted, size, inclusive):
    """Whatever lies between, whether the start is part of a page (Google) or not (S3)."""
    found = find_in_pages(wanted, Bucket(keys, size, inclusive=inclusive).page)
    assert found == {x: StoredFile(size=len(x)) for x in keys & wanted}


def test_what_lies_between_is_skipped():
    """Two files among ten thousand of somebody else's take two pages."""
    others = [f"b/{n:05}" for n in range(10_000)]
    bucket = Bucket(["a/file.sha256", *others, "c/file.sha256"], 1000)
    assert len(find_in_pages(["a/file.sha256", "c/file.sha256"], bucket.page)) == 2
    assert len(bucket.asked) == 2


def test_what_lies_together_is_one_page():
    """A mirror's files are a page or a few."""
    keys = [f"mirror/{n}.sha256" for n in range(900)]
    bucket = Bucket(keys, 1000)
    assert len(find_in_pages(keys, bucket.page)) == 900
    assert len(bucket.asked) == 1


def test_only_the_common_beginning_is_listed():
    """What else is in the bucket is nobody's business."""
    prefixes = []

    def page(prefix, start):
        prefixes.append(prefix)
        return {}, True

    find_in_pages(["kops/a/x", "kops/b/x"], page)
    assert prefixes == ["kops/"]


def test_nothing_is_wanted():
    """Then nothing is asked."""
    assert find_in_pages([], pytest.fail) == {}


@pytest.mark.parametrize("page", [["b", "a"], ["z"], ["a"]])
def test_a_store_in_disorder_does_not_go_on_for_ever(page):
    """One that lists in another order, or takes no start: some are left out, that is all."""
    asked = []

    def listed(prefix, start):
        asked.append(start)
        return {x: StoredFile(size=1) for x in page}, False

    found = find_in_pages(["a", "c", "d"], listed)
    assert set(found) <= {"a"}
    assert len(asked) <= 3


def test_a_store_without_end_is_left():
    """It has always one more page before the next name; what it leaves out is asked for."""
    asked = []

    def page(prefix, start):
        asked.append(start)
        return {f"b/kubele{len(asked):09}": StoredFile(size=1)}, False

    assert find_in_pages(["b/kubelet", "b/kubelet.sha256"], page) == {}
    assert len(asked) == 102
