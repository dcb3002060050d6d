"""Progress never goes back, is told seldom, and never fails a copy."""

import logging
import threading

import pytest

from kops_assets_provider.operators.progress import EVERY_SECONDS, KEY, Progress


class Clock:
    """A clock that is put forward by hand."""

    now = 0.0

    def __call__(self):
        return self.now


class Store:
    """Stands in for Airflow's task state store, and for the task instance."""

    try_number = 2

    def __init__(self, error=None):
        self.values = []
        self.error = error

    def set(self, key, value):
        assert key == KEY
        if self.error:
            raise self.error
        self.values.append(value)

    @property
    def context(self):
        return {"ti": self, "task_state_store": self}


def test_it_is_told_every_ten_seconds_and_at_the_end():
    """Of any number of chunks."""
    clock, store = Clock(), Store()
    with Progress(store.context, clock) as progress:
        for second in range(25):
            clock.now = float(second)
            progress.add(100)
    assert [x["bytes"] for x in store.values] == [1100, 2100, 2500]
    assert store.values[0] == {"bytes": 1100, "seconds": 10, "try_number": 2}


def test_a_short_copy_tells_nothing():
    """A request to Airflow for each of a hundred small files would cost more than they do."""
    store = Store()
    with Progress(store.context, Clock()) as progress:
        progress.add(100)
    assert store.values == []


def test_chunks_without_bytes_tell_nothing():
    """They are looks whether the task was killed."""
    clock, store = Clock(), Store()
    with Progress(store.context, clock) as progress:
        clock.now = 2 * EVERY_SECONDS
        progress.add(0)
    assert store.values == []


def test_many_threads_count_every_byte_and_never_go_back():
    """While one tells, the others do not wait, and none tells an older number after it."""
    store, ticks = Store(), iter(range(10**9))
    with Progress(store.context, lambda: next(ticks) / 10) as progress:
        threads = [
            threading.Thread(target=lambda: [progress.add(1) for _ in range(2000)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = [x["bytes"] for x in store.values]
    assert len(told) > 2
    assert told == sorted(set(told))
    assert told[-1] == 16_000


def test_others_copy_on_while_one_tells():
    """A slow API server holds one thread, not all."""
    clock, telling, go_on = Clock(), threading.Event(), threading.Event()

    class Slow(Store):
        def set(self, key, value):
            super().set(key, value)
            telling.set()
            assert go_on.wait(10)

    store = Slow()
    progress = Progress(store.context, clock)
    clock.now = EVERY_SECONDS
    thread = threading.Thread(target=progress.add, args=(1,))
    thread.start()
    assert telling.wait(10)
    progress.add(1)
    go_on.set()
    thread.join()
    assert len(store.values) == 1


@pytest.mark.parametrize("error", [RuntimeError("down"), OSError(), KeyError("x")])
def test_a_store_that_fails_fails_no_copy(error, caplog):
    """The log has the progress instead, and the store is left alone."""
    clock, store = Clock(), Store(error)
    with (
        caplog.at_level(logging.INFO, "kops_assets_provider"),
        Progress(store.context, clock) as progress,
    ):
        for second in range(21):
            clock.now = float(second)
            progress.add(100)
    messages = [x.message for x in caplog.records]
    assert messages[1:] == ["1100 bytes after 10 seconds", "2100 bytes after 20 seconds"]
    assert "does not take the progress" in messages[0]


def test_before_airflow_3_3_the_log_has_it(caplog):
    """There is no such store in the context."""
    clock = Clock()
    with caplog.at_level(logging.INFO, "kops_assets_provider"):
        progress = Progress({"ti": Store()}, clock)
        clock.now = EVERY_SECONDS
        progress.add(7)
    assert [x.message for x in caplog.records] == ["7 bytes after 10 seconds"]


def test_a_copy_ends_also_when_a_time_limit_struck_while_it_told():
    """Airflow raises its time limit anywhere, also where a lock is held."""
    clock, store = Clock(), Store()
    with Progress(store.context, clock) as progress:
        clock.now = EVERY_SECONDS
        progress.add(1)
        progress.add(1)
        progress._telling.acquire()
    assert [x["bytes"] for x in store.values] == [1]
