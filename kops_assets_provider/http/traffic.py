"""What it costs to look at one asset, or to copy it, in requests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Traffic:
    """Counts requests by method; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()

    def add(self, method: str) -> None:
        """Count one request. Redirects and token requests are not counted."""
        with self._lock:
            self._requests[method] += 1

    @property
    def requests(self) -> int:
        """How many there were."""
        with self._lock:
            return self._requests.total()


_CURRENT: ContextVar[Traffic | None] = ContextVar("traffic", default=None)


@contextmanager
def counted() -> Iterator[Traffic]:
    """Count the requests that this thread makes until the block ends, as ``count`` is told them."""
    traffic = Traffic()
    token = _CURRENT.set(traffic)
    try:
        yield traffic
    finally:
        _CURRENT.reset(token)


def count(method: str) -> None:
    """Count a request, if somebody in this thread wants to know."""
    if traffic := _CURRENT.get():
        traffic.add(method)
