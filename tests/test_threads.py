"""A stopped command waits for no thread, whenever the stop comes."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kops_assets_provider.oci.work_queue import WorkQueue
from kops_assets_provider.threads import Threads

LONG = 60


def test_results_come_in_the_order_of_the_items():
    """However long each takes."""
    second = threading.Event()

    def work(item):
        if item == 1:
            assert second.wait(LONG)
        else:
            second.set()
        return -item

    with Threads(2, "test") as threads:
        assert threads.map(work, [1, 2]) == [-1, -2]


def test_what_has_not_begun_is_dropped():
    """And what is at work is first asked to end, then made to."""
    stopped, aborted, begun = threading.Event(), threading.Event(), threading.Event()
    done = []

    def work():
        begun.set()
        assert aborted.wait(LONG)
        done.append(stopped.is_set())

    def interrupted():
        with Threads(1, "test", stop=stopped.set, aborts=[aborted.set]) as threads:
            threads.submit(work)
            threads.submit(done.append, "never")
            assert begun.wait(LONG)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == [True]


def test_threads_that_end_by_themselves_are_not_aborted():
    """An abort closes connections: it is for those that wait for a server."""
    stopped, aborted = threading.Event(), threading.Event()

    def interrupted():
        with Threads(1, "test", stop=stopped.set, aborts=[aborted.set]) as threads:
            threads.submit(stopped.wait, LONG)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not aborted.is_set()


def test_ctrl_c_between_two_starts_ends_the_threads_that_run(monkeypatch):
    """The first thread of a copy works already while the second is started."""
    begun = threading.Event()
    submit = ThreadPoolExecutor.submit

    def interrupted(pool, *args):
        if begun.is_set():
            raise KeyboardInterrupt
        future = submit(pool, *args)
        assert begun.wait(LONG)
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    stop = threading.Event()
    queue = WorkQueue(stop)

    def work():
        begun.set()
        assert stop.wait(LONG)

    queue.put(0, 0, work)
    with pytest.raises(KeyboardInterrupt):
        queue.run(2, [])
    assert stop.is_set()
