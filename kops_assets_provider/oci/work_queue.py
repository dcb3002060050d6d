"""Work of several kinds, which a few threads do: what is most urgent first, the largest of it."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Sequence
from itertools import count

from kops_assets_provider.threads import Threads


class WorkQueue:
    """
    A queue that work may add to while it is done.

    :param stop: ends it: what has not begun is left out.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._queue: list[tuple[int, int, int, Callable[[], None]]] = []
        self._numbers = count()
        self._running = 0
        self._changed = threading.Condition()

    def put(self, order: int, size: int, work: Callable[[], None]) -> None:
        """Add work; the smallest ``order`` is done first, and of that the largest ``size``."""
        with self._changed:
            heapq.heappush(self._queue, (order, -size, next(self._numbers), work))
            self._changed.notify()

    def run(self, workers: int, aborts: Sequence[Callable[[], None]]) -> None:
        """
        Do all there is to do; raises what work raises, which ends the rest.

        :param aborts: called one after another if threads wait for a server when it is ended from
            outside, each as long as there are some.
        """
        with Threads(workers, "images", stop=self._end, aborts=aborts) as threads:
            futures = [threads.submit(self._work) for _ in range(workers)]
            for future in futures:
                future.result()

    def _end(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()

    def _work(self) -> None:
        while work := self._next():
            try:
                work()
            except BaseException:
                # Nobody must wait for the others before it is told.
                self._stop.set()
                raise
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            # What runs now may bring more: only when nothing does, there will be no more.
            while not self._queue and self._running and not self._stop.is_set():
                self._changed.wait()
            if not self._queue or self._stop.is_set():
                return None
            self._running += 1
            return heapq.heappop(self._queue)[3]
