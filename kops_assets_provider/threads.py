"""Threads that a stopped command or task does not wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

_Given = ParamSpec("_Given")
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_GRACE = 1.0  # seconds that threads have to end by themselves


class Threads:
    """
    A pool of threads, as a context manager; the end of the block waits for all that was submitted.

    If the block raises, what has not begun is dropped. Ctrl-C is such an exception, and it may come
    while the threads are still being started, so the whole block has to be guarded.

    :param workers: how many threads there are
    :param name: the prefix of their names
    :param stop: called if the block raises: tells the threads to end
    :param aborts: called one after another while threads are still at work a second after that:
        each ends what they may wait for
    """

    def __init__(
        self,
        workers: int,
        name: str,
        *,
        stop: Callable[[], object] = lambda: None,
        aborts: Sequence[Callable[[], object]] = (),
    ) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._stop, self._aborts = stop, aborts
        self._futures: list[Future[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._end()
        self._pool.shutdown()

    def submit(
        self, work: Callable[_Given, _Result], *args: _Given.args, **kwargs: _Given.kwargs
    ) -> Future[_Result]:
        """Have a thread do the work as soon as one is free."""
        future = self._pool.submit(work, *args, **kwargs)
        self._futures.append(future)
        return future

    def map(self, work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        """Return the results in the order of the items; raise what the first bad one raised."""
        futures = [self.submit(work, item) for item in items]
        return [future.result() for future in futures]

    def _end(self) -> None:
        self._stop()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for abort in self._aborts:
            if wait(self._futures, _GRACE).not_done:
                abort()
