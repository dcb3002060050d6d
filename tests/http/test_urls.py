"""What may be shown of a URL, and what kind of host it names."""

from __future__ import annotations

import pytest

from kops_assets_provider.http.urls import Origin, is_forbidden, is_loopback, origin, redact


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://Example.com/a", Origin(scheme="https", host="example.com", port=443)),
        ("http://example.com:80", Origin(scheme="http", host="example.com", port=80)),
        ("https://user:pw@[::1]:8443/", Origin(scheme="https", host="::1", port=8443)),
    ],
)
def test_origin(url, expected):
    """Scheme, host and port; the scheme's own port if none is said."""
    assert origin(url) == expected


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "example.com", "https://", "http://a:b/", "http://a%20b/", ""]
)
def test_no_origin(url):
    """A URL of another scheme, without host, or with a port that is none has no origin."""
    with pytest.raises(ValueError, match=r"http\(s\)|Port"):
        origin(url)


def test_redact():
    """User info, query and fragment are left out; what remains is the URL."""
    assert redact("https://u:p@example.com:1/a?b=c#d") == "https://example.com:1/a"
    assert redact("example.com/a?b") == "example.com/a"


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "[fe80::1]",
        "::ffff:169.254.169.254",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "2852039166",
        "0xa9.254.169.254",
        "0251.0376.0251.0376",
        "2002:a9fe:a9fe::1",
        "64:ff9b::169.254.169.254",
        "fd00:ec2::254",
        "fe80::1%eth0",
        "::ffff:169.254.169.254%eth0",
        "::ffff:0:169.254.169.254",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:0:a9:fea9:fe00:0",
        "169.254.169.254.",
        "metadata.google.internal.",
    ],
)
def test_forbidden(host):
    """Where clouds keep their metadata, however the address is spelt or wrapped."""
    assert is_forbidden(host)


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "192.168.1.1",
        "127.0.0.1",
        "fd12::1",
        "8.8.8.8",
        "example.com",
        "a",
        "2001:db8::1",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:1:808:8:800::",
        "::ffff:0:8.8.8.8",
    ],
)
def test_not_forbidden(host):
    """Private addresses are where companies keep registries; a name is resolved later."""
    assert not is_forbidden(host)


@pytest.mark.parametrize(
    "host", ["localhost", "ip6-localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]", "127.1"]
)
def test_loopback(host):
    """This machine, by name or by address."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com"])
def test_not_loopback(host):
    """Any other machine."""
    assert not is_loopback(host)
