"""What a server asks for when it answers 401, as RFC 9110 writes it, and as nobody should."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.http.challenges import Challenge, parse_challenges

# RFC 9110, section 5.6.2:  tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
#                                   "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
TOKENS = st.text(LETTERS + "!#$%&'*+-.^_`|~", min_size=1, max_size=8)
# Section 11.2:  token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
TOKEN68 = st.builds(
    str.__add__, st.text(LETTERS + "-._~+/", min_size=1, max_size=8), st.text("=", max_size=3)
)
# Section 5.6.3:  OWS = *( SP / HTAB ), and BWS = OWS
BLANKS = st.text(" \t", max_size=3)
# Section 5.6.4:  quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE
#                 qdtext        = HTAB / SP / %x21 / %x23-5B / %x5D-7E / obs-text
#                 quoted-pair   = "\" ( HTAB / SP / VCHAR / obs-text )
#                 obs-text      = %x80-FF
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f") | st.just("\t"),
    max_size=12,
) | st.sampled_from(["x, bearer y", 'a", Basic realm="b', "\\", "=", ","])


@st.composite
def _quoted(draw):
    text = draw(TEXTS)
    # A quote and a backslash must be escaped, and every other character may be.
    escaped = ("\\" + c if c in '"\\' or draw(st.booleans()) else c for c in text)
    return text, f'"{"".join(escaped)}"'


VALUES = TOKENS.map(lambda x: (x, x)) | _quoted()


@st.composite
def _challenge(draw):
    """Draw ``challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`` and its meaning."""
    scheme = draw(TOKENS)
    if draw(st.booleans()):
        written = scheme + draw(st.sampled_from(["", f" {draw(TOKEN68)}"]))
        return written, Challenge(scheme=scheme.lower(), parameters={})
    names = draw(st.lists(TOKENS, min_size=1, max_size=4, unique_by=str.lower))
    parameters, elements = {}, []
    for name in names:
        # Section 11.2:  auth-param = token BWS "=" BWS ( token / quoted-string )
        parameters[name.lower()], value = draw(VALUES)
        elements.append(f"{name}{draw(BLANKS)}={draw(BLANKS)}{value}")
    return scheme + " " + _joined(draw, elements), Challenge(
        scheme=scheme.lower(), parameters=parameters
    )


def _joined(draw, elements):
    # Section 5.6.1:  #element => [ element ] *( OWS "," OWS [ element ] )
    commas = st.lists(st.just(","), min_size=1, max_size=3)
    return "".join(
        element + ("" if last else draw(BLANKS) + draw(BLANKS).join(draw(commas)) + draw(BLANKS))
        for element, last in zip(elements, [False] * (len(elements) - 1) + [True], strict=True)
    )


@st.composite
def _headers(draw):
    """Draw ``WWW-Authenticate = #challenge`` (section 11.6.1), in one header or in several."""
    found = draw(st.lists(st.lists(_challenge(), min_size=1, max_size=3), max_size=3))
    headers = [draw(BLANKS) + _joined(draw, [x for x, _ in header]) for header in found]
    return headers, [meaning for header in found for _, meaning in header]


@given(_headers())
def test_what_the_grammar_allows_is_read(example):
    """Every challenge with its parameters, whatever the quotes, cases and blanks."""
    headers, expected = example
    assert parse_challenges(headers) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://a/t",service=reg', [("bearer", "https://a/t", "reg")]),
        ('BEARER Realm = "https://a/t" ,\tSERVICE= "r"', [("bearer", "https://a/t", "r")]),
        (r'Bearer service="x, bearer \"y\"", realm=r', [("bearer", "r", 'x, bearer "y"')]),
        ('Basic realm="a, Bearer realm=b"', [("basic", "a, Bearer realm=b", None)]),
        ("Negotiate abc==, Bearer realm=c", [("negotiate", None, None), ("bearer", "c", None)]),
        ("Negotiate, , Basic", [("negotiate", None, None), ("basic", None, None)]),
        # Not the grammar's, but there is no doubt about what is meant.
        ('Basic realm="a" charset="UTF-8"', [("basic", "a", None)]),
        ("Basic realm=My Registry, Bearer realm=c", [("basic", "My", None), ("bearer", "c", None)]),
        ("Bearer realm=a, realm=b", [("bearer", "a", None)]),
        # Nor of these.
        ('Basic realm="a, Bearer realm=c', [("basic", None, None)]),
        ("realm=a, service=b", []),
        ('"Bearer realm=a"', []),
        ("=,=Bearer,@ Bearer", []),
        ("", []),
    ],
)
def test_challenges(header, expected):
    """In short: scheme, realm and service of each."""
    found = [
        (x.scheme, x.parameters.get("realm"), x.parameters.get("service"))
        for x in parse_challenges([header])
    ]
    assert found == expected


PIECES = """
a|a |a,|a=|a=b,|basic |bearer, |"|\\|=|@|, |a="|a="\\|a="b" |a="b",|x "b", |"b"a|a                 |
"""


@pytest.mark.parametrize("piece", PIECES.strip("\n").split("|"))
def test_time_grows_with_length_alone(piece):
    """Sixty thousand letters once took 24 seconds; the largest head that is read takes less."""
    started = time.process_time()
    parse_challenges([(piece or " ") * (262_144 // max(1, len(piece)))])
    assert time.process_time() - started < 2


def test_headers_do_not_mix():
    """A quote that one header leaves open ends with that header."""
    found = parse_challenges(['Basic realm="a', "Bearer realm=b"])
    assert [x.scheme for x in found] == ["basic", "bearer"]
    assert found[1].parameters == {"realm": "b"}
