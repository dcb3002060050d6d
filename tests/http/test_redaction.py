"""What is taken for a secret, in which spellings it is hidden, and what is left alone."""

import base64
import json
import time
from urllib.parse import quote

import pytest

from kops_assets_provider.redaction import (
    clean,
    forget_all,
    redact,
    remember,
    remember_headers,
    remember_urls_in,
    secrets_of_url,
    without_secrets,
)

PASSWORD = 'p@s/ w"ö'


@pytest.mark.parametrize(
    "spelt",
    [
        PASSWORD,
        quote(PASSWORD, ""),
        quote(PASSWORD),
        json.dumps(PASSWORD)[1:-1],
        base64.b64encode(PASSWORD.encode()).decode(),
        base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
        PASSWORD.encode().hex(),
    ],
)
def test_every_spelling(spelt):
    """Whoever quotes a password may have encoded it."""
    remember(PASSWORD)
    assert without_secrets(f"<{spelt.rstrip('=')}>") == "<***>"


def test_a_header_and_what_it_stands_for():
    """The login of Basic, too; but no other header."""
    pair = base64.b64encode(b"robot:hunter2").decode()
    remember_headers({"authorization": f"Basic {pair}", "Accept": "application/json"})
    assert clean(f"Basic {pair}") == "***"
    assert clean(f"{pair}, robot:hunter2, hunter2") == "***==, ***, ***"
    assert clean("application/json") == "application/json"


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("https://h/x", set()),
        ("https://bob:hunter2@h/x", {"bob:hunter2", "hunter2"}),
        ("https://some-token@h/x", {"some-token"}),
        ("s3://KEY:hun/ter2@bucket", {"KEY:hun/ter2", "hun/ter2"}),
        ("https://h/x?sig=a%2Fbcd", {"sig=a%2Fbcd", "a/bcd"}),
        ("https://h/x?some-token", {"some-token"}),
        ("https://h/token?service=registry.example.com&scope=repository:a:pull", set()),
        ("https://h/x?version=1.36.2&raw=true", {"version=1.36.2&raw=true"}),
        ("https://h:5000/@scope/x", set()),
        ("https://h/get/kubelet?file=kubelet", {"file=kubelet"}),
        ("https://bob:hunter2@h/x?token=hunter2", {"bob:hunter2", "hunter2", "token=hunter2"}),
    ],
)
def test_the_secrets_of_a_url(url, secrets):
    """Not what helps whoever reads the message, and no word that stands in every other message."""
    assert set(secrets_of_url(url)) == secrets


SIGNED = {
    "Google": "X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential=a%2Fb%2Fstorage&X-Goog-Date="
    "20261130T000000Z&X-Goog-Expires=3600&X-Goog-SignedHeaders=host&X-Goog-Signature=",
    "Azure": "sv=2022-11-02&sr=blob&sp=read&spr=https&se=2026-11-30T05%3A00%3A00Z&rsct="
    "application%2Foctet-stream&rscd=attachment%3B+filename%3Dkubelet&sig=",
    "Amazon": "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261130T000000Z&X-Amz-Expires=3600"
    "&X-Amz-SignedHeaders=host&response-content-type=application%2Foctet-stream&X-Amz-Signature=",
    "plain": "arch=amd64&file=kubelet&os=linux&version=release&token=",
}


@pytest.mark.parametrize("query", SIGNED.values(), ids=SIGNED)
def test_a_signed_url_leaves_messages_readable(query):
    """Its signature is hidden wherever it stands, and no word that others use."""
    url = f"https://example.com/kubelet?{query}hunter2"
    remember_urls_in(url)
    words = "GET https://example.com/kubelet answered 404: no release of linux/amd64 on this host"
    assert clean(f"{words}; sent application/octet-stream, hunter2") == (
        f"{words}; sent application/octet-stream, ***"
    )


@pytest.mark.parametrize(
    "value",
    [
        "https://h=https://bob:hunter2@h2/x",
        "https://proxy/?url=https://h/x&sig=hunter2",
        {"https://bob:hunter2@h": "/directory"},
        ['{"a": "https://h/x?sig=hunter2"}'],
        "robot:hunter2@proxy.example.com:3128",
    ],
)
def test_urls_in_what_users_write(value):
    """As PREFIX=PLACE, in JSON, in mappings, and in each other's queries."""
    assert "hunter2" in " ".join(remember_urls_in(value))
    assert clean("who is hunter2?") == "who is ***?"


@pytest.mark.parametrize("name", ["registry.k8s.io/pause:3.10@sha256:abc", "h:5000/a:b@sha256:0"])
def test_a_digest_is_no_host(name):
    """An image's name has no password."""
    assert remember_urls_in(name) == set()
    assert clean(name) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('Get "https://bob:pw12@h/x?y=z": denied', 'Get "https://h/x": denied'),
        ("no s3://K:a/b@bucket/c, and no", "no s3://bucket/c, and no"),
        ("proxy robot:pw12@proxy:3128 failed", "proxy ***@proxy:3128 failed"),
        ("https://h:8080/@scope/x#y", "https://h:8080/@scope/x"),
    ],
)
def test_urls_in_a_text(text, shown):
    """They lose what may be a credential, whoever wrote them."""
    assert clean(text) == shown


def test_redact_a_password_with_a_slash():
    """Half of it would be left if the host ended there."""
    assert redact("https://bob:hun/ter2@h.example.com/x") == "https://h.example.com/x"


@pytest.mark.parametrize("unit", ["://a:", "a://", "@", "x:y@", "?", "://u:p"])
def test_a_long_text_takes_no_time(unit):
    """A server's words may be made to be slow to search."""
    remember("hunter2")
    began = time.process_time()
    clean(unit * (20_000 // len(unit)))
    assert time.process_time() - began < 2


def test_many_secrets_are_forgotten_in_turn():
    """Memory stays bounded, and what is sent again stays hidden."""
    remember("the-password")
    for number in range(3000):
        remember(f"token-{number:08}")
        if number % 100 == 0:
            remember("the-password")
    assert without_secrets("token-00000000 token-00002999 the-password") == "token-00000000 *** ***"
    forget_all()
    assert without_secrets("the-password") == "the-password"
