"""Names in pages, with what lies below a delimiter rolled up, as S3 and Google list them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Some names, the prefixes that stand for others, and how to ask for the next page."""

    names: list[str]
    prefixes: list[str]
    next_token: str | None

    def __len__(self) -> int:
        return len(self.names) + len(self.prefixes)


def page_of(
    names: Iterable[str], size: int, *, prefix: str = "", delimiter: str = "", token: str = ""
) -> Page:
    """
    Return a page of those names that begin with a prefix, in the order of their UTF-8 bytes.

    :param token: ``next_token`` of the page before.
    :raises ValueError: the token is none.
    """
    # The order of code points, which is Python's, is that of their UTF-8.
    chosen = sorted(name for name in names if name.startswith(prefix))
    entries = dict.fromkeys(_rolled_up(name, len(prefix), delimiter) for name in chosen)
    after = base64.b64decode(token, validate=True).decode()
    left = [entry for entry in entries if entry > after]
    shown = left[:size]
    rolled = {x for x in shown if delimiter and delimiter in x[len(prefix) :]}
    more = shown and len(left) > size
    return Page(
        [x for x in shown if x not in rolled],
        [x for x in shown if x in rolled],
        base64.b64encode(shown[-1].encode()).decode() if more else None,
    )


def _rolled_up(name: str, start: int, delimiter: str) -> str:
    """Return the name up to its first delimiter from ``start`` on, or all of it."""
    end = name.find(delimiter, start) if delimiter else -1
    return name if end < 0 else name[: end + len(delimiter)]
