"""Times in documents: ISO 8601 with a zone, and not believed if they lie ahead of our clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

AHEAD = timedelta(minutes=5)  # that clocks of several machines may differ by
_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII
)  # RFC 3339, section 5.6


def parse_time(text: str) -> datetime:
    """Return the time in UTC; raises ValueError unless it is ISO 8601 with a zone."""
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("expected a time with a zone, such as 2026-01-31T02:00:00+00:00")


def is_ahead(text: str, at: datetime) -> bool:
    """Return whether a time lies more than five minutes after ``at``, the time now."""
    return parse_time(text) > at + AHEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """
    How recent a verification must be to count.

    :param within: how long ago it may have been.
    :param at: the time now.
    """

    within: timedelta
    at: datetime

    def covers(self, text: str | None) -> bool:
        """Return whether a time is recent enough; no time is not, nor is one ahead of now."""
        return text is not None and -AHEAD <= self.at - parse_time(text) <= self.within
