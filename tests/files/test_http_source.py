"""A source that breaks off is read on where it did, if it is still the same file."""

import pytest

from kops_assets_provider.exceptions import (
    ConnectionFailedError,
    NotFoundError,
    Side,
    SourceChangedError,
)
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.retries import Retries
from tests.http.test_retries import Waits
from tests.support.messages import Fault

MIB = 1 << 20
RAW = bytes(range(256)) * (4 * MIB // 256)


@pytest.fixture
def waits():
    return Waits()


@pytest.fixture
def read(file_server, http, waits):
    """Return what reads the file whole, with nobody waiting in between."""
    file_server.put("/file", RAW)
    source = HttpFileSource(http, Retries(stop=waits))

    def read(between=lambda: None):
        with source.open(f"{file_server.url}/file") as opened:
            found = b""
            for chunk in opened.chunks:
                found += chunk
                between()
            return found

    return read


def ranges(server):
    return [(x.headers.get("Range"), x.headers.get("If-Range")) for x in server.requests]


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
@pytest.mark.parametrize("reset", [False, True])
def test_a_body_that_breaks_off_is_read_on(file_server, read, quarter, reset):
    """At every quarter: the rest alone is asked for, of the same file."""
    at = quarter * MIB
    file_server.inject(Fault("GET", truncate_after=at, reset=reset))
    assert read() == RAW
    first, *rest = ranges(file_server)
    assert first == (None, None)
    ((asked, condition),) = rest
    assert condition.startswith('"')
    # A reset also throws away what was on its way.
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    assert start <= at if reset else start == at


def test_it_may_break_off_often_as_long_as_it_gets_on(file_server, read, waits):
    """A MiB each time is progress: no number of failures ends that."""
    for _ in range(3):
        file_server.inject(Fault("GET", truncate_after=MIB))
    assert read() == RAW
    assert file_server.count("GET") == 4
    assert all(x <= 0.5 for x in waits.seconds)


def test_without_progress_it_ends(file_server, read, waits):
    """Four failures in a row that brought nothing are the source's failure."""
    file_server.inject(Fault("GET", truncate_after=MIB))
    file_server.inject(Fault("GET", truncate_after=9, times=None))
    with pytest.raises(ConnectionFailedError) as error:
        read()
    assert error.value.side is Side.SOURCE
    assert file_server.count("GET") == 4
    assert len(waits.seconds) == 3


def test_another_file_is_not_read_on(file_server, read):
    """The file was replaced meanwhile: two halves of two files are none."""
    file_server.inject(Fault("GET", truncate_after=MIB))

    def replace():
        file_server.put("/file", RAW[::-1])

    with pytest.raises(SourceChangedError, match="changed while it was read") as error:
        read(replace)
    assert error.value.side is Side.SOURCE


def test_a_file_that_is_gone_is_told(file_server, read):
    """What was there and is not any more: the error is that of the second request."""
    file_server.inject(Fault("GET", truncate_after=MIB))
    with pytest.raises(NotFoundError):
        read(file_server.files.clear)


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_read_on(file_server, read, tag):
    """Who cannot know whether it is the same file begins anew."""
    file_server.inject(Fault("GET", truncate_after=MIB, headers={"ETag": tag}))
    with pytest.raises(ConnectionFailedError):
        read()
    assert file_server.count("GET") == 1


def test_a_date_is_a_validator(file_server, read):
    """Where there is no entity tag the date of the last change serves."""
    date = "Tue, 01 Sep 2026 00:00:00 GMT"
    headers = {"ETag": None, "Last-Modified": date}
    file_server.inject(Fault("GET", truncate_after=MIB, headers=headers))
    file_server.inject(Fault("GET", headers=headers))
    assert read() == RAW
    assert ranges(file_server)[1][1] == date


def test_a_server_without_ranges_sends_all_again(file_server, read):
    """What is known already is thrown away, if it is the same file."""
    file_server.inject(Fault("GET", truncate_after=3 * MIB))
    file_server.inject(Fault("GET", status=200, body=RAW, headers={"ETag": '"same"'}))
    with pytest.raises(SourceChangedError):
        read()
    tag = {"ETag": '"same"'}
    file_server.inject(Fault("GET", truncate_after=3 * MIB, headers=tag))
    file_server.inject(Fault("GET", status=200, body=RAW, headers=tag))
    assert read() == RAW


@pytest.mark.parametrize(
    "told",
    [
        {"Content-Range": f"bytes {2 * MIB}-{4 * MIB - 1}/{4 * MIB}"},
        {"Content-Range": f"bytes {MIB}-{4 * MIB - 1}/{4 * MIB + 1}"},
        {"Content-Range": f"bytes {MIB}-{4 * MIB - 1}/*"},
        {"Content-Range": None},
    ],
)
def test_a_wrong_part_is_refused(file_server, read, told):
    """A server that answers with other bytes than those asked for is not followed."""
    file_server.inject(Fault("GET", truncate_after=MIB))
    file_server.inject(Fault("GET", headers=told))
    with pytest.raises(SourceChangedError):
        read()


def test_a_server_that_has_no_such_part_is_told(file_server, read):
    """416: the file has become shorter."""
    file_server.inject(Fault("GET", truncate_after=MIB))
    file_server.inject(Fault("GET", status=416))
    with pytest.raises(SourceChangedError):
        read()
