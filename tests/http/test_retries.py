"""Short retries: how often, how long, and what ends them."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import (
    ConnectionFailedError,
    NotFoundError,
    RateLimitedError,
    ServerFailedError,
    Side,
    StoppedError,
)
from kops_assets_provider.http.retries import Retries


class Waits(threading.Event):
    """A stop that nobody sets, and that takes no time: it notes how long it was to be waited."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


def failing(times, error=None):
    """Return an attempt that fails so often, and the list of its calls."""
    calls = []

    def attempt():
        calls.append(None)
        if len(calls) <= times:
            raise error or ServerFailedError("down")
        return "done"

    return attempt, calls


@pytest.mark.parametrize("failures", [0, 1, 3])
def test_what_passes_is_tried_again(failures):
    """The result is that of the first try that succeeds."""
    retries = Retries(stop=Waits())
    attempt, calls = failing(failures)
    assert retries.call(attempt) == "done"
    assert len(calls) == failures + 1
    assert retries.count == failures


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_counted_with_the_first(attempts):
    """The last error is raised, and no wait follows it."""
    waits = Waits()
    attempt, calls = failing(99)
    with pytest.raises(ServerFailedError):
        Retries(attempts, stop=waits).call(attempt)
    assert len(calls) == attempts
    assert len(waits.seconds) == attempts - 1


@pytest.mark.parametrize("error", [NotFoundError("gone"), StoppedError("stop"), ValueError("bug")])
def test_what_cannot_pass_is_not_tried_again(error):
    """A permanent error, the order to stop, and a bug of ours."""
    attempt, calls = failing(1, error)
    with pytest.raises(type(error)):
        Retries(stop=Waits()).call(attempt)
    assert len(calls) == 1


def test_what_was_tried_again_is_not_tried_again():
    """The tries of a reader and of the upload that it is for are not multiplied."""
    theirs, ours = (
        ServerFailedError("x", side=Side.SOURCE),
        ServerFailedError("x", side=Side.TARGET),
    )
    for error, count in ((theirs, 1), (ours, 4)):
        attempt, calls = failing(99, error)
        with pytest.raises(ServerFailedError):
            Retries(stop=Waits()).call(attempt, retried=Side.SOURCE)
        assert len(calls) == count


@given(failures=st.integers(1, 12), first=st.floats(0.001, 10), longest=st.floats(0.001, 60))
def test_waits_grow_up_to_a_limit(failures, first, longest):
    """At most twice as long each time, and never longer than is allowed."""
    waits = Waits()
    Retries(first_wait_seconds=first, max_wait_seconds=longest, stop=waits).pause(
        failures, ConnectionFailedError("x")
    )
    assert 0 <= waits.seconds[0] <= min(first * 2 ** (failures - 1), longest)


def test_waits_are_spread():
    """Many copies that failed together do not come back together."""
    waits = Waits()
    for _ in range(50):
        Retries(stop=waits).pause(3, ConnectionFailedError("x"))
    assert len(set(waits.seconds)) > 40


@given(asked=st.floats(0, 15))
def test_what_a_server_asks_for_is_waited_for(asked):
    """At least so long, and not much longer."""
    waits = Waits()
    Retries(stop=waits).pause(1, RateLimitedError("slow", retry_after=asked))
    assert asked <= waits.seconds[0] <= asked + 0.05


def test_a_server_that_asks_for_too_much_is_not_waited_for():
    """Its own error is raised at once, with its wait."""
    waits = Waits()
    attempt, calls = failing(9, RateLimitedError("slow", retry_after=16))
    with pytest.raises(RateLimitedError) as caught:
        Retries(max_wait_seconds=15, stop=waits).call(attempt)
    assert caught.value.retry_after == 16
    assert (len(calls), waits.seconds) == (1, [])


def test_stop_ends_a_wait():
    """From another thread, however long it would have been."""
    retries = Retries(first_wait_seconds=1e6, max_wait_seconds=1e6)
    attempt, calls = failing(9)
    errors = []

    def call():
        with pytest.raises(ServerFailedError) as caught:
            retries.call(attempt)
        errors.append(caught.value)

    thread = threading.Thread(target=call)
    thread.start()
    retries.stop.set()
    thread.join(10)
    assert len(errors) == 1
    assert len(calls) == 1


def test_retries_are_counted_for_all_threads():
    """One object serves a whole batch."""
    retries = Retries(stop=Waits())
    threads = [threading.Thread(target=retries.call, args=(failing(3)[0],)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert retries.count == 60
