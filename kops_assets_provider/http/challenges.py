r"""
What a server asks for when it answers 401: RFC 9110, sections 11.2, 11.3 and 11.6.1.

::

    WWW-Authenticate = #challenge
    challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
    auth-scheme      = token
    auth-param       = token BWS "=" BWS ( token / quoted-string )
    token68          = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="
    quoted-string    = DQUOTE *( qdtext / quoted-pair ) DQUOTE
    quoted-pair      = "\" ( HTAB / SP / VCHAR / obs-text )

Commas separate both challenges and parameters, so the header is read element by element. All
patterns are possessive: the time is proportional to the header's length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?P<quoted>(?:[^"\\]|\\.)*+)"'
_VALUE = rf"(?:(?P<value>{_TCHARS})|{_QUOTED})"
_PARAMETER = rf"(?P<name>{_TCHARS})[ \t]*+=[ \t]*+{_VALUE}"
_ELEMENT = re.compile(
    rf"(?:(?P<scheme>{_TCHARS})(?:[ \t]++(?!=)|(?=,|\Z)))?"
    rf"(?:{_PARAMETER}|[A-Za-z0-9._~+/-]++=*+)?",
    re.DOTALL,
)
_SEPARATORS = re.compile(r"[ \t,]*+")
_JUNK = re.compile(r'(?:[^",]|"(?:[^"\\]|\\.)*+")*+', re.DOTALL)
_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Challenge(NamedTuple):
    """One challenge; the scheme and the names of its parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: list[str]) -> list[Challenge]:
    """
    Return the challenges of all ``WWW-Authenticate`` headers of a response, in their order.

    Text that breaks the grammar is skipped up to the next comma, and behind a quote that is never
    closed up to the end. If a parameter occurs twice in a challenge, the first one counts.
    """
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    position = _end(_SEPARATORS, header, 0)
    while position < len(header):
        if element := _ELEMENT.match(header, position):
            _add(found, element)
            position = element.end()
        position = _end(_JUNK, header, position)
        if header[position : position + 1] == '"':
            break
        position = _end(_SEPARATORS, header, position)
    return [Challenge(scheme=scheme, parameters=parameters) for scheme, parameters in found]


def _add(found: list[tuple[str, dict[str, str]]], element: re.Match[str]) -> None:
    if element["scheme"]:
        found.append((element["scheme"].lower(), {}))
    if element["name"] and found:
        value = element["value"]
        text = _PAIR.sub(r"\1", element["quoted"]) if value is None else value
        found[-1][1].setdefault(element["name"].lower(), text)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
