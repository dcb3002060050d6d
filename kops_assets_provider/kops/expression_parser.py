"""The parser of conditions; :mod:`expressions` has the grammar and the meaning."""

from __future__ import annotations

import re

from kops_assets_provider.kops.expressions import (
    LOOPS,
    Comparison,
    Condition,
    Either,
    Every,
    ExpressionError,
    Literal,
    Name,
    Not,
    Presence,
    Replaced,
    Some,
)
from kops_assets_provider.kops.semver import parse_version

_TOKEN = re.compile(
    r"""\s*(?:(?P<version>\d+(?:\.\d+){1,2})|(?P<number>\d+)|(?P<text>"[^"]*")
    |(?P<operator>==|!=|<=|>=|<|>)|(?P<mark>[()])|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)
    |(?P<end>$))""",
    re.VERBOSE | re.ASCII,
)
_FLAGS = {"true": True, "false": False}
_RESERVED = {"and", "or", "not", "is", "set", "unset", "replaced", *_FLAGS, *LOOPS}


def parse_condition(text: str) -> Condition:
    """
    Parse a condition.

    :raises ExpressionError: with what was expected where
    """
    parser = _Parser(text)
    condition = parser.condition()
    parser.take("end", "")
    return condition


class _Parser:
    """Recursive descent, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._at = 0

    def condition(self) -> Condition:
        parts = [self._clause()]
        while self._accept("word", "or"):
            parts.append(self._clause())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _clause(self) -> Condition:
        parts = [self._test()]
        while self._accept("word", "and"):
            parts.append(self._test())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _test(self) -> Condition:
        if self._accept("word", "not"):
            return Not(self._test())
        if self._accept("mark", "("):
            return self._closed(self.condition())
        if self._accept("word", "replaced"):
            self.take("mark", "(")
            return self._closed(Replaced(self.take("text").strip('"')))
        for word, loop in LOOPS.items():
            if self._accept("word", word):
                self.take("mark", "(")
                return self._closed(Some(loop, self.condition()))
        return self._statement()

    def _closed(self, condition: Condition) -> Condition:
        self.take("mark", ")")
        return condition

    def _statement(self) -> Condition:
        name = self.take("word")
        if name in _RESERVED:
            raise ExpressionError(f"{self._text!r}: {name!r} where a name should be")
        if self._accept("word", "is"):
            wanted = self._accept("word", "set")
            if not wanted:
                self.take("word", "unset")
            return Presence(name, wanted)
        if self._next()[0] == "operator":
            return Comparison(name, self.take("operator"), self._literal())
        return Name(name)

    def _literal(self) -> Literal:
        kind, token = self._next()
        self._at += 1
        match kind:
            case "text":
                return token.strip('"')
            case "number":
                return int(token)
            case "version" if version := parse_version(token):
                return version
            case "word" if token in _FLAGS:
                return _FLAGS[token]
        raise ExpressionError(f"{self._text!r}: {token!r} where a literal should be")

    def take(self, kind: str, token: str | None = None) -> str:
        found = self._next()
        if found[0] != kind or token not in (None, found[1]):
            expected = repr(token) if token else "the end" if kind == "end" else f"a {kind}"
            raise ExpressionError(f"{self._text!r}: {found[1]!r} where {expected} should be")
        self._at += 1
        return found[1]

    def _accept(self, kind: str, token: str) -> bool:
        if self._next() != (kind, token):
            return False
        self._at += 1
        return True

    def _next(self) -> tuple[str, str]:
        return self._tokens[min(self._at, len(self._tokens) - 1)]


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    end = 0
    while not tokens or tokens[-1][0] != "end":
        match = _TOKEN.match(text, end)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"{text!r}: {text[end:].strip()[:10]!r} is no token")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        end = match.end()
    return tokens
