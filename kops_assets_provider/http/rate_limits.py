"""
How long to wait for a server that has had enough of us, and how much it has left for us.

``Retry-After`` is RFC 9110, section 10.2.3. ``RateLimit-Limit: 100;w=21600`` and ``RateLimit-
Remaining: 76;w=21600`` are Docker Hub's: pulls in a window of so many seconds
(https://docs.docker.com/docker-hub/usage/pulls/). ``RateLimit-Reset`` is the IETF's draft
(draft-ietf-httpapi-ratelimit-headers-07): seconds until the window begins anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_LONGEST_WAIT = 86_400.0  # seconds; a server may not put us off for years
_LONGEST_DATE = 64  # characters; "Wednesday, 06-Nov-94 08:49:37 GMT" has 33
_QUOTA = re.compile(r"(\d{1,12})(?:\s*;\s*w=(\d{1,12}))?", re.ASCII)


class Quota(NamedTuple):
    """What a server lets us ask, what of it is left, and in how many seconds it counts."""

    limit: int
    remaining: int
    window: float


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """
    Return the seconds to wait that a server's answer asks for, if any; at most a day.

    If it only says in which window it counts, the wait is that window: longer than needed, and
    never too short.
    """
    for name in ("Retry-After", "RateLimit-Reset"):
        wait = _seconds(headers.get(name, "").strip(), now or datetime.now(UTC))
        if wait is not None:
            return min(max(0.0, wait), _LONGEST_WAIT)
    found = quota(headers)
    return min(found.window, _LONGEST_WAIT) if found and found.window else None


def quota(headers: Mapping[str, str]) -> Quota | None:
    """Return what the ``RateLimit-…`` headers tell, if they are there."""
    limit = _QUOTA.match(headers.get("RateLimit-Limit", "").strip())
    remaining = _QUOTA.match(headers.get("RateLimit-Remaining", "").strip())
    if not limit or not remaining:
        return None
    return Quota(
        limit=int(limit[1]),
        remaining=int(remaining[1]),
        window=float(limit[2] or remaining[2] or 0),
    )


def _seconds(value: str, now: datetime) -> float | None:
    """Read a number of seconds, or a date; None if the value is neither."""
    if value.isascii() and value.isdigit():
        # More digits are more than the longest wait.
        return float(value.lstrip("0")[:12] or 0)
    if len(value) > _LONGEST_DATE:
        return None
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # what Python makes of the zone -0000
            date = date.replace(tzinfo=UTC)
        return (date - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        # Python's parser lets more out than it documents: a year of 20 digits is an OverflowError.
        return None
