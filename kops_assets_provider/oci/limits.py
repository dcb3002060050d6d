"""How much may be asked of one registry at a time, as its owner or operator wants it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


class Limits:
    """
    Holds requests back; safe to share between threads.

    :param requests_per_second: at most, evenly spread; no limit if None.
    :param concurrency: requests under way at a time; no limit if None.
    """

    def __init__(
        self, requests_per_second: float | None = None, concurrency: int | None = None
    ) -> None:
        self._interval = 1 / requests_per_second if requests_per_second else 0.0
        self._slots = threading.BoundedSemaphore(concurrency) if concurrency else nullcontext()
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until a request may begin; it is over when the block ends."""
        with self._slots:
            self._wait()
            yield

    def _wait(self) -> None:
        if not self._interval:
            return
        with self._lock:
            begins = max(self._next, time.monotonic())
            self._next = begins + self._interval
        time.sleep(max(0.0, begins - time.monotonic()))
