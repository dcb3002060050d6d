"""Our errors, as Airflow understands them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.airflow_versions import AirflowFailException, AirflowRescheduleException
from kops_assets_provider.exceptions import (
    ConnectionFailedError,
    NotFoundError,
    RateLimitedError,
    ServerFailedError,
    StoppedError,
)
from kops_assets_provider.mirror.model.asset import Problem
from kops_assets_provider.operators.errors import WAITING_SINCE, translate_errors

ASSET = {"kind": "image", "canonical": "registry.k8s.io/pause:3.10"}


class Task:
    """What a task instance keeps: XComs, and what it remembers over its attempts."""

    def __init__(self, **state):
        self.pushed = {}
        self.state = state

    def xcom_push(self, key, value):
        self.pushed[key] = value

    get = property(lambda self: self.state.get)
    set = property(lambda self: self.state.__setitem__)

    @property
    def context(self):
        return {"ti": self, "task_state_store": self}


def describe(error):
    return {**Problem.of(error).to_dict(), **ASSET}


def fail(task, error, **context):
    with translate_errors({**task.context, **context}, describe):
        raise error


@pytest.mark.parametrize(
    ("asked", "soonest", "latest"), [(0, 15, 25), (20, 20, 30), (3600, 3600, 3610)]
)
@pytest.mark.parametrize("kind", [RateLimitedError, ServerFailedError])
def test_a_server_that_asks_for_a_wait_gets_it(kind, asked, soonest, latest):
    """The slot is given back until then, and never for so short that Airflow mistakes it."""
    task, now = Task(), datetime.now(UTC)
    with pytest.raises(AirflowRescheduleException) as error:
        fail(task, kind("busy", retry_after=asked))
    wait = (error.value.reschedule_date - now).total_seconds()
    assert soonest <= wait <= latest + 1
    assert task.pushed == {}
    assert WAITING_SINCE in task.state


def test_tasks_that_were_put_off_together_come_back_apart():
    """Or they would be put off together again."""
    dates = set()
    for _ in range(20):
        with pytest.raises(AirflowRescheduleException) as error:
            fail(Task(), RateLimitedError("busy", retry_after=60))
        dates.add(round(error.value.reschedule_date.timestamp(), 1))
    assert len(dates) > 5


@pytest.mark.parametrize("hours", [-25, 1])
def test_patience_ends_after_a_day(hours):
    """Then Airflow retries it like other failures; a beginning ahead of now would never end."""
    since = datetime.now(UTC) + timedelta(hours=hours)
    task = Task(**{WAITING_SINCE: since.isoformat()})
    with pytest.raises(RateLimitedError):
        fail(task, RateLimitedError("busy", retry_after=60))
    assert task.pushed["error"]["type"] == "RateLimitedError"


def test_the_first_wait_counts():
    """A task that comes back again and again does not begin its day anew."""
    since = datetime.now(UTC) - timedelta(hours=23)
    task = Task(**{WAITING_SINCE: since.isoformat()})
    with pytest.raises(AirflowRescheduleException):
        fail(task, RateLimitedError("busy", retry_after=60))
    assert task.state[WAITING_SINCE] == since.isoformat()


def test_an_airflow_without_memory_retries():
    """Before 3.3 nobody could count the waits: the task's retries have to do."""
    with pytest.raises(RateLimitedError):
        fail(Task(), RateLimitedError("busy", retry_after=60), task_state_store=None)


@pytest.mark.parametrize("error", [ConnectionFailedError("x"), StoppedError("x"), ValueError("x")])
def test_what_names_no_time_is_retried(error):
    """And the report knows why."""
    task = Task()
    with pytest.raises(type(error)):
        fail(task, error)
    assert task.pushed["error"]["canonical"] == ASSET["canonical"]


def test_what_retrying_cannot_help_fails_at_once():
    """In one line."""
    task = Task()
    with pytest.raises(AirflowFailException, match="NotFoundError: gone"):
        fail(task, NotFoundError("gone"))
    assert task.pushed["error"]["type"] == "NotFoundError"
