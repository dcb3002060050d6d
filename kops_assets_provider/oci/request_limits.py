"""Limit the requests to one registry: per second, and at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext


class Limits:
    """
    Holds requests back; safe to share between threads.

    :param requests_per_second: at most, evenly spread; no limit if None.
    :param concurrency: requests under way at a time, to read and to write each; no limit if None.
    """

    def __init__(
        self, requests_per_second: float | None = None, concurrency: int | None = None
    ) -> None:
        self._pace = _Pace(1 / requests_per_second if requests_per_second else 0.0)
        self._concurrency = concurrency
        self._slots = threading.BoundedSemaphore(concurrency) if concurrency else nullcontext()

    def fork(self) -> Limits:
        """
        Return limits of the same pace, with slots of their own.

        A registry may be source and target at once: a slot for writing must not wait for one for
        reading, which waits for it.
        """
        other = Limits(concurrency=self._concurrency)
        other._pace = self._pace
        return other

    @contextmanager
    def request(self) -> Iterator[None]:
        """Wait until a request may begin; it is over when the block ends."""
        with self._slots:
            self._pace.wait()
            yield


class _Pace:
    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        if not self._interval:
            return
        with self._lock:
            begins = max(self._next, time.monotonic())
            self._next = begins + self._interval
        time.sleep(max(0.0, begins - time.monotonic()))
