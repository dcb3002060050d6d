"""
Short retries inside the process, for what passes within seconds.

What takes longer is left to whoever scheduled the copy: a task that sleeps holds a slot. Waits grow
and are spread at random, so that many copies that failed together do not come back together
(https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from kops_assets_provider.exceptions import Side, StoppedError, TransientError

_Result = TypeVar("_Result")


class Retries:
    """
    Tries again after a ``TransientError``; safe to share between threads.

    :param attempts: at most, the first one among them.
    :param first_wait_seconds: at most, after the first; doubled after each.
    :param max_wait_seconds: a server that asks for more is not waited for.
    :param stop: ends every wait.
    """

    def __init__(
        self,
        attempts: int = 4,
        first_wait_seconds: float = 0.5,
        max_wait_seconds: float = 15.0,
        stop: threading.Event | None = None,
    ) -> None:
        self.attempts = attempts
        self._first_wait = first_wait_seconds
        self._max_wait = max_wait_seconds
        self.stop = stop or threading.Event()
        self._lock = threading.Lock()
        self.count = 0

    def fork(self) -> Retries:
        """Return one that counts for itself, with the same limits and the same stop."""
        return Retries(self.attempts, self._first_wait, self._max_wait, self.stop)

    def call(self, attempt: Callable[[], _Result], *, retried: Side | None = None) -> _Result:
        """
        Return what ``attempt`` returns; raises its last error, or the first permanent one.

        :param retried: the side whose errors ``attempt`` has itself tried again after.
        """
        for number in range(1, self.attempts):
            try:
                return attempt()
            except StoppedError:
                raise
            except TransientError as err:
                if retried is not None and err.side is retried:
                    raise
                self.pause(number, err)
        return attempt()

    def pause(self, failures: int, error: TransientError) -> None:
        """Wait before another try; raises ``error`` if that would be too long."""
        asked = error.retry_after
        wait = random.uniform(0, self._first_wait * 2 ** (failures - 1))  # noqa: S311  # no secret
        wait = min(wait, self._max_wait) if asked is None else asked + wait / 10
        if asked is not None and asked > self._max_wait:
            raise error
        with self._lock:
            self.count += 1
        if self.stop.wait(wait):
            raise error
