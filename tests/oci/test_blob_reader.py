"""Reading a blob for an upload: hashed while it flows, taken up again where it broke off."""

from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    ConnectionFailedError,
    NotFoundError,
    Side,
    StoppedError,
)
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.blob_reader import BlobReader
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor


class Source:
    """
    A source that breaks off as it is told.

    :param breaks: how many bytes it gives each time it is opened, before it breaks off.
    """

    def __init__(self, data, breaks=(), chunk=4, error=None):
        self.data, self.breaks, self.chunk = data, list(breaks), chunk
        self.error = error or ConnectionFailedError("broken", side=Side.SOURCE)
        self.opened, self.closed = [], 0

    @contextmanager
    def open_blob(self, blob, offset=0):
        self.opened.append(offset)
        try:
            yield self._chunks(offset)
        finally:
            self.closed += 1

    def _chunks(self, offset):
        end = offset + self.breaks.pop(0) if self.breaks else None
        for start in range(offset, len(self.data), self.chunk):
            piece = self.data[start : start + self.chunk]
            if end is not None and start + len(piece) > end:
                yield piece[: max(0, end - start)]
                raise self.error
            yield piece
        if end is not None:
            raise self.error


def reader_of(source, data=None, attempts=4, on_chunk=lambda _: None):
    data = source.data if data is None else data
    blob = Descriptor(media_type="application/x", digest=Digest.of(data), size=len(data))
    return BlobReader(source, blob, Retries(attempts, first_wait_seconds=0), on_chunk)


def read(reader, offset=0):
    with reader.open(offset) as chunks:
        return b"".join(chunks)


DATA = bytes(range(256)) * 4


@given(data=st.binary(max_size=80), chunk=st.integers(1, 20), breaks=st.lists(st.integers(0, 30)))
def test_what_is_read_is_the_blob(data, chunk, breaks):
    """However the source breaks off, each byte is asked for once and given once."""
    source = Source(data, breaks, chunk)
    assert read(reader_of(source, attempts=99)) == data
    position = 0
    for opened, size in zip(source.opened, breaks, strict=False):
        assert opened == position
        position = min(position + size, len(data))
    assert source.closed == len(source.opened)


@given(
    data=st.binary(min_size=1, max_size=300),
    chunk=st.integers(1, 20),
    offsets=st.lists(st.integers(0, 299), max_size=4),
    reads=st.lists(st.integers(0, 40), min_size=4, max_size=4),
)
def test_an_upload_may_go_on_anywhere(data, chunk, offsets, reads):
    """From whatever offset, after however much was read: the rest comes, and is checked."""
    reader = reader_of(Source(data, chunk=chunk))
    for offset, count in zip(offsets, reads, strict=False):
        with reader.open(min(offset, len(data) - 1)) as chunks:
            for _, _ in zip(range(count), chunks, strict=False):
                pass
    for offset in [*offsets, 0, len(data) - 1]:
        at = min(offset, len(data) - 1)
        assert read(reader, at) == data[at:]


def test_an_upload_that_goes_on_reads_little_twice():
    """The hash's state is kept for the last chunks: the source is asked from there on."""
    data = bytes(40_000)
    source = Source(data, chunk=1000)
    reader = reader_of(source)
    with reader.open() as chunks:
        sent = sum(len(next(chunks)) for _ in range(20))
    assert read(reader, sent - 2500) == data[sent - 2500 :]
    assert source.opened == [0, sent - 3000]


def test_an_upload_that_lost_more_is_read_anew():
    """What is older than the states that are kept is hashed again from the start."""
    data = bytes(100_000)
    source = Source(data, chunk=1000)
    reader = reader_of(source)
    with reader.open() as chunks:
        for _ in range(90):
            next(chunks)
    assert read(reader, 5000) == data[5000:]
    assert source.opened == [0, 0]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (DATA[:-1], "got 1023"),
        (b"", "got 0"),
        (DATA + b"x", "got more"),
        (DATA * 9, "got more"),
        (b"x" + DATA[1:], "got sha256"),
        (DATA[:-1] + b"x", "got sha256"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 1024, 1 << 20])
def test_wrong_bytes_are_never_given_whole(given, what, chunk):
    """At least the last chunk is held back, so that no upload of them is complete."""
    seen = []
    with (
        pytest.raises(ChecksumMismatchError, match=what) as caught,
        reader_of(Source(given, chunk=chunk), DATA).open() as chunks,
    ):
        seen.extend(chunks)
    assert caught.value.side is Side.SOURCE
    assert len(b"".join(seen)) < len(DATA)


@given(at=st.integers(0, len(DATA) - 1), offset=st.integers(1, len(DATA) - 1))
def test_a_wrong_byte_is_found_also_by_an_upload_that_goes_on(at, offset):
    """What was sent before it broke off counts as well."""
    wrong = DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :]
    reader = reader_of(Source(wrong, chunk=16), DATA)
    with reader.open() as chunks:
        for _, _ in zip(range(offset // 16), chunks, strict=False):
            pass
    with pytest.raises(ChecksumMismatchError):
        read(reader, offset)


def test_an_end_that_is_not_told_is_an_end():
    """All bytes came, and then the connection broke: there is nothing to ask for."""
    source = Source(DATA, [len(DATA)])
    assert read(reader_of(source)) == DATA
    assert source.opened == [0]


def test_a_source_that_gives_nothing_is_given_up():
    """After as many tries as are allowed, with its own error."""
    source = Source(DATA, [0] * 99)
    with pytest.raises(ConnectionFailedError, match="broken"):
        read(reader_of(source, attempts=3))
    assert len(source.opened) == 3


def test_a_source_that_gives_a_little_each_time_is_given_up():
    """It would take for ever."""
    source = Source(DATA, [1] * 2000)
    with pytest.raises(ConnectionFailedError):
        read(reader_of(source, attempts=4))
    assert len(source.opened) == 4


def test_a_source_that_makes_headway_is_not_given_up():
    """A large blob over a bad line may break off often."""
    data = bytes(12 << 20)
    source = Source(data, [1 << 20] * 11, chunk=1 << 20)
    assert read(reader_of(source, attempts=2)) == data
    assert len(source.opened) == 12


def test_a_permanent_error_is_not_tried_again():
    """A blob that is gone is gone."""
    source = Source(DATA, [9], error=NotFoundError("gone", side=Side.SOURCE))
    with pytest.raises(NotFoundError):
        read(reader_of(source))
    assert len(source.opened) == 1


def test_what_on_chunk_raises_ends_the_reading():
    """And the source is closed."""
    source = Source(DATA)

    def stop(_):
        raise StoppedError("enough")

    with pytest.raises(StoppedError):
        read(reader_of(source, on_chunk=stop))
    assert source.closed == 1


def test_a_reader_that_is_left_early_closes_its_source():
    """An upload that broke off does not keep a connection."""
    source = Source(DATA)
    with reader_of(source).open() as chunks:
        next(chunks)
    assert source.closed == 1


def test_other_bytes_of_the_same_size_are_refused():
    """The message has both digests."""
    blob = Descriptor(media_type="application/x", digest=Digest.of(DATA), size=len(DATA))
    reader = BlobReader(Source(DATA[::-1]), blob, Retries(), lambda _: None)
    with pytest.raises(ChecksumMismatchError, match=f"got {Digest.of(DATA[::-1])}"):
        read(reader)
