"""Row 26: no server can keep a task for ever, be it slow, wordy or without end."""

from __future__ import annotations

import http.client
import time

import pytest

from kops_assets_provider.exceptions import ConnectionFailedError, UntrustedServerError
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.files.ports import SourceFile
from kops_assets_provider.http import address_checks, response_limits
from kops_assets_provider.http import client as http_client
from kops_assets_provider.http.client import HttpClient
from tests.support.http_server import Response
from tests.support.memory_files import MemoryStore
from tests.support.messages import Fault

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
STALL = 0.3


def unpaced(patch):
    """Read answers as http.client does."""

    def plain(sock, *args, stall_seconds, **options):
        return http.client.HTTPResponse(sock, *args, **options)

    patch.setattr(address_checks, "PacedResponse", plain)


def slowly(data, seconds):
    for each in data:
        yield bytes([each])
        time.sleep(seconds)


def stream(url, seconds=STALL):
    with HttpClient(stall_seconds=seconds).request("GET", url) as response:
        return b"".join(response.stream())


def test_a_dripping_stream_ends(defended, attempt, evil):
    """Row 26: a byte now and then is silence, whatever a socket's timeout says."""
    evil.responses["/a"] = Response(200, {}, b"x" * 20)
    evil.inject(Fault(drip=0.1, times=None))

    def check():
        error = attempt(stream, f"{evil.url}/a")
        assert isinstance(error, ConnectionFailedError)
        assert "less than 1024 bytes" in str(error)

    defended(check, unpaced)


def test_a_dripping_head_ends(defended, attempt, raw_answer, fetch):
    """Row 26: a head is no better than a body."""

    def check():
        url = raw_answer(slowly(OK[:25] + b"\r\n\r\n", 0.1))
        assert isinstance(
            attempt(fetch, url, HttpClient(stall_seconds=STALL)), ConnectionFailedError
        )

    defended(check, unpaced)


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
@pytest.mark.parametrize("burst", [1, 60])
def test_interim_responses_extend_nothing(defended, attempt, raw_answer, fetch, status, burst):
    """Row 26: however fast they come, the response has not begun; a few seconds stand for hours."""
    interim = f"HTTP/1.1 {status}\r\nLink: x\r\n\r\n".encode() * burst

    def check():
        def answer():
            for _ in range(30):
                yield interim
                time.sleep(0.05)
            yield OK

        error = attempt(fetch, raw_answer(answer()), HttpClient(stall_seconds=STALL))
        assert isinstance(error, ConnectionFailedError)

    defended(check, unpaced)


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_interim_responses_are_no_offence(raw_answer, fetch, status):
    """RFC 9110, section 15.2: a client must be able to read several, even unasked."""
    interim = f"HTTP/1.1 {status}\r\nLink: </x>; rel=preload\r\n\r\n".encode()
    assert fetch(raw_answer(interim * 3 + OK)) == b"ok"


@pytest.mark.parametrize(
    ("begin", "line"),
    [
        (CHUNKED + b"2\r\nok\r\n0\r\n", b"X: " + b"y" * 1100 + b"\r\n"),
        (CHUNKED + b"2\r\nok\r\n1;", b"x" * 1100),
        (CHUNKED, b"1;" + b"x" * 1100 + b"\r\no\r\n"),
        (CHUNKED + b"1\r\n", b"o\r\n1;" + b"x" * 1100 + b"\r\n"),
    ],
    ids=["trailers", "endless-extension", "extensions", "extensions-with-a-body"],
)
@pytest.mark.parametrize("read", ["small", "stream"])
def test_lines_are_no_body(defended, attempt, raw_answer, fetch, begin, line, read):
    """Row 26: whatever comes between chunks, and behind them, counts as silence."""

    def check():
        def answer():
            yield begin
            for _ in range(30):
                yield line
                time.sleep(0.05)

        url = raw_answer(answer())
        client = HttpClient(stall_seconds=STALL)
        error = attempt(fetch, url, client) if read == "small" else attempt(stream, url)
        assert "less than 1024 bytes" in str(error)

    defended(check, unpaced)


@pytest.mark.parametrize("length", [b"-1", b"-5", b"-" + b"f" * 5000])
@pytest.mark.parametrize("read", ["small", "stream"])
def test_a_chunk_has_no_negative_length(attempt, raw_answer, fetch, length, read):
    """Nobody means by -1 that all the rest is to be held in memory at once."""
    url = raw_answer(CHUNKED + length + b"\r\n" + b"x" * 100_000)
    error = attempt(fetch, url) if read == "small" else attempt(stream, url)
    assert isinstance(error, ConnectionFailedError)


@pytest.mark.parametrize("chunk", [700, 5000, 20_000])
def test_a_slow_body_in_chunks_is_no_stall(raw_answer, chunk):
    """Each packet begins with a line; the body in it counts all the same."""
    part = f"{chunk:x}\r\n".encode() + b"x" * chunk + b"\r\n"

    def answer():
        yield CHUNKED
        for _ in range(12):
            yield part
            time.sleep(0.15)
        yield b"0\r\n\r\n"

    assert len(stream(raw_answer(answer()), 1.5)) == 12 * chunk


def test_a_small_body_is_soon_there(defended, attempt, evil, fetch):
    """Row 26: a document has a time for all of it, even if it comes fast enough for a stream."""

    def check():
        def trickle():
            for _ in range(24):
                yield b"x" * 1024
                time.sleep(0.1)

        evil.responses["/a"] = Response(200, {}, trickle(), 24 * 1024)
        error = attempt(fetch, f"{evil.url}/a", HttpClient(stall_seconds=STALL))
        assert "within 1.5 seconds" in str(error)

    defended(check, lambda patch: patch.setattr(http_client, "_STALLS", 1000))


@pytest.mark.parametrize("status", [302, 500])
def test_what_nobody_wants_takes_no_time(defended, attempt, evil, fetch, status):
    """Row 26: the body of a redirect, and that of an error, have the same limit."""
    evil.inject(Fault(path="/a", drip=0.1, times=None))
    evil.responses["/a"] = Response(status, {"Location": "/b"}, b"x" * 60)

    def check():
        started = time.monotonic()
        attempt(fetch, f"{evil.url}/a", HttpClient(stall_seconds=1))
        assert time.monotonic() - started < 4

    defended(check, unpaced)


def test_a_body_longer_than_promised_is_left(defended, attempt, evil):
    """Row 26: beyond its size nothing is read of a file, whether it is sent in chunks or not."""
    evil.responses["/a"] = Response(200, {}, (b"x" * 65536 for _ in range(1600)), 1600 * 65536)

    def check():
        evil.clear()
        evil.responses["/a"] = Response(200, {}, (b"x" * 65536 for _ in range(1600)), 1600 * 65536)
        taken = []

        def announced(chunks):
            for chunk in chunks:
                taken.append(len(chunk))
                yield chunk

        class Source(HttpFileSource):
            def open(self, url):
                opened = super().open(url)
                enter = opened.__enter__

                class Opened:
                    def __enter__(self):
                        file = enter()
                        return SourceFile(chunks=announced(file.chunks), size=100)

                    def __exit__(self, *args):
                        return opened.__exit__(*args)

                return Opened()

        attempt(copy_file, Source(HttpClient()), [f"{evil.url}/a"], MemoryStore(), "a", "0" * 64)
        assert sum(taken) <= 2 << 20

    def reads_on(patch):
        def all_of_it(chunks, **_):
            yield b"".join(chunks)

        patch.setattr("kops_assets_provider.files.content.verified", all_of_it)

    defended(check, reads_on)


def test_a_document_longer_than_its_limit_is_left(defended, attempt, raw_answer, fetch):
    """Row 26: an endless document is read up to its limit."""

    def check():
        url = raw_answer(CHUNKED + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 64 + b"0\r\n\r\n")
        assert isinstance(attempt(fetch, url), UntrustedServerError)

    def no_limit(patch):
        read = http_client._small_body
        patch.setattr(http_client, "_small_body", lambda raw, limit, s: read(raw, 1 << 30, s)[:9])

    defended(check, no_limit)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + OK,
        b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"x" * 9_000 + b"\r\n") * 50 + OK[17:],
        CHUNKED + b"2\r\nok\r\n0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        CHUNKED + (b"1;" + b"x" * 9_000 + b"\r\no\r\n") * 50 + b"0\r\n\r\n",
    ],
    ids=["continue", "headers", "trailers", "extensions"],
)
@pytest.mark.parametrize("read", ["small", "stream"])
def test_what_is_no_body_is_short(defended, attempt, raw_answer, fetch, answer, read):
    """Row 26: http.client bears any number of these, and they count as no silence."""

    def check():
        url = raw_answer(answer)
        error = attempt(fetch, url) if read == "small" else attempt(stream, url, 5)
        assert isinstance(error, ConnectionFailedError)

    defended(check, unpaced)


@pytest.mark.parametrize("chunk", [1, 100, 5000])
def test_small_chunks_are_no_offence(raw_answer, chunk):
    """A server may send as many chunks as it likes, if there is something in them."""
    one = f"{chunk:x}\r\n".encode() + b"x" * chunk + b"\r\n"
    body = CHUNKED + one * 100_000 if chunk < 5000 else CHUNKED + one * 1000
    assert len(stream(raw_answer(body + b"0\r\nX: y\r\n\r\n"), 5)) % chunk == 0


def test_a_slow_receiver_is_no_stall(evil):
    """Only the waiting for a server counts, not the time that the other side of a copy takes."""
    evil.responses["/a"] = Response(200, {}, b"x" * 3_000_000)
    with HttpClient(stall_seconds=1).request("GET", f"{evil.url}/a") as response:
        size = 0
        for chunk in response.stream():
            size += len(chunk)
            time.sleep(1.5)
    assert size == 3_000_000


def test_an_upload_has_the_time_of_a_stall(defended, attempt, slow_reader):
    """A registry that pauses while it takes an upload has ``stall_seconds``, as for a download."""

    def check():
        url = slow_reader(pause=0.6)
        body = [b"x" * (1 << 20)] * 16
        client = HttpClient(connect_seconds=0.2, stall_seconds=3)
        headers = {"Content-Length": str(16 << 20)}
        assert (
            attempt(lambda: client.request("PUT", url, headers=headers, body=body).__enter__())
            is None
        )

    def as_urllib3(patch):
        patch.setattr(address_checks._Guarded, "connect", address_checks.HTTPConnection.connect)

    defended(check, as_urllib3)


def test_the_pace_is_a_kilobyte_a_stall():
    """What the documentation says."""
    assert response_limits.MIN_BYTES == 1024
