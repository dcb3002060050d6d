"""Whatever a server says, it is understood or told as one of our errors: nothing else comes out."""

from __future__ import annotations

import gc
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kops_assets_provider.http.challenges import parse_challenges
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.errors import place, retry_after, status_error
from kops_assets_provider.http.urls import is_forbidden, is_loopback, lead, origin, redact

TEXT = st.text(alphabet=st.characters(codec="latin-1"), max_size=60)
HOSTS = st.one_of(
    st.sampled_from(["127.0.0.1", "evil", "[::1]", "%31", "a@b", "a\\@b", "a:b", "[", "1.2", ""]),
    TEXT,
)
URLS = st.one_of(
    TEXT,
    st.builds(
        "{}{}{}".format, st.sampled_from(["http://", "https:", "//", "/\\", "\\\\"]), HOSTS, TEXT
    ),
)
LINES = st.builds(
    lambda name, value: name + ": " + value.replace("\r", " ").replace("\n", " "),
    st.sampled_from(["Location", "Content-Length", "Retry-After", "Transfer-Encoding", "X", ""]),
    st.one_of(TEXT, st.sampled_from(["chunked", "5, 6", "9" * 5000, "-1", "gzip", "²"])),
)


@given(URLS, URLS)
def test_a_place_is_read_or_refused(url, location):
    """A URL is one or is none; where a server leads is allowed or refused."""
    for text in (url, location):
        assert redact(text).isprintable()
        assert place("GET", text).isprintable()
        with suppress(ValueError):
            origin(text)
    with suppress(ValueError):
        lead(url, location)
    with suppress(ValueError):
        there = origin(lead("https://registry.example.com/v2/", location))
        assert there.scheme == "https"
        assert not is_loopback(there.host)
        assert not is_forbidden(there.host)


@given(TEXT, st.binary(max_size=200), st.integers(100, 599))
def test_an_error_is_told(value, body, status):
    """Any status with any body and any wish to be asked again later."""
    headers = {"Retry-After": value}
    retry_after(headers)
    error = status_error("GET", "https://h.test/a", status, headers=headers, body=body)
    assert str(error).isprintable()
    parse_challenges([value])


@pytest.fixture
def swept():
    """Collect what urllib3 leaves to the collector, if a response could not even be made of it."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("swept")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 700), st.lists(LINES, max_size=4), st.binary(max_size=50))
def test_an_answer_is_read_or_told(network, raw_answer, attempt, fetch, status, lines, body):
    """A whole answer, headers and all; wherever it leads, nobody but this machine is asked."""
    head = "\r\n".join([f"HTTP/1.1 {status} x", *lines]).encode("latin-1")
    url = raw_answer(head + b"\r\n\r\n" + body)
    error = attempt(fetch, url, HttpClient(stall_seconds=0.5, connect_seconds=0.5))
    assert error is None or str(error).isprintable()
