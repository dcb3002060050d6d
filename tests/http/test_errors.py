"""How a status or a broken connection is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.errors import place, status_error
from kops_assets_provider.http.rate_limits import retry_after

NOW = datetime(2026, 10, 21, 7, 28, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", 30),
        ("Wed, 21 Oct 2026 09:29:00 +0200", 60),
        ("Wed, 21 Oct 2026 07:28:30 -0000", 30),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 99 Oct 2026 07:28:30 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    """Both forms of RFC 9110 are understood, and nonsense is as if nothing had been said."""
    assert retry_after({"Retry-After": value}, NOW) == seconds


def test_no_retry_after():
    """Without the header nothing is known."""
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a/b?token=secret#secret", "example.com: GET /a/b"),
        ("https://user:secret@example.com:8443", "example.com:8443: GET /"),
    ],
)
def test_a_place_has_no_secret(url, shown):
    """Messages name host, method and path, and nothing that could be a secret."""
    assert place("GET", url) == shown


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (json.dumps({"errors": [{"code": "DENIED", "message": "no push"}]}), " DENIED no push"),
        ("<Error><Code>NoSuchBucket</Code><Key>k</Key></Error>", " NoSuchBucket"),
        ("<html>", ""),
        ("", ""),
        ("[]", ""),
        (json.dumps({"errors": []}), ""),
        (json.dumps({"errors": ["x"]}), ""),
        (json.dumps({"errors": [{"code": "A\x1b[31m\r\nB", "message": "x" * 999}]}), " A [31m B"),
    ],
)
def test_the_server_s_own_words(body, reason):
    """A registry's or S3's error code is told; control characters and essays are not."""
    error = status_error("PUT", "https://example.com/a", 400, headers={}, body=body.encode())
    assert str(error).startswith(f"example.com: PUT /a answered 400{reason}")
    assert len(str(error)) < 250
    assert str(error).isprintable()


def test_what_to_do_is_told_where_it_helps():
    """A hint about rights goes with a refusal for want of them, and with nothing else."""
    for status, told in [(401, True), (403, True), (404, False), (429, False), (500, False)]:
        error = status_error("GET", "https://e.com/", status, headers={}, hint="do it")
        assert str(error).endswith("; do it") is told


def test_the_side_is_told_first():
    """The first word that an operator reads is whose fault it is."""
    error = status_error("GET", "https://e.com/a", 403, headers={}, side=Side.TARGET)
    assert str(error) == "target e.com: GET /a answered 403"
