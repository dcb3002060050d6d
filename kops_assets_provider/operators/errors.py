"""Translate our errors into Airflow's: fail now, retry, or come back when the server says."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context

from kops_assets_provider.airflow_versions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowTaskTimeout,
    task_state_store,
)
from kops_assets_provider.exceptions import KopsAssetsError, PermanentError, TransientError
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.times import AHEAD, parse_time

log = get_logger(__name__)

ERROR_KEY = "error"
WAITING_SINCE = "kops_assets_waiting_since"
# A task that comes back sooner than the executor has noticed its end is taken for a failed one.
_SOONEST = 15.0
_LATER = 10.0  # seconds over which tasks that were put off together are spread
_PATIENCE = timedelta(hours=24)


Describe = Callable[[BaseException], Mapping[str, Any]]
"""Returns the XCom that a task leaves when it fails."""


@contextmanager
def translate_errors(context: Context, describe: Describe | None = None) -> Iterator[None]:
    """
    Turn a PermanentError into a failure without retries; let Airflow retry after all others.

    A server that asks for a wait gets it: the task gives its slot back and comes at that time,
    without using up a retry, for a day at most.

    :param describe: returns what is pushed to XCom before the error is raised, so that the report
        can say why.
    """
    try:
        yield
    except (Exception, AirflowTaskTimeout) as err:
        if isinstance(err, TransientError) and err.retry_after is not None:
            _come_back(context, err, err.retry_after)
        if describe:
            context["ti"].xcom_push(key=ERROR_KEY, value=dict(describe(err)))
        if isinstance(err, PermanentError):
            # One clear line: the way here through our own code helps nobody who reads the log.
            raise AirflowFailException(f"{type(err).__name__}: {err}") from None
        if isinstance(err, KopsAssetsError):
            # Without its causes, which Airflow would log: libraries quote whole URLs in theirs.
            raise err from None
        raise


def _come_back(context: Context, error: TransientError, seconds: float) -> None:
    """Raise AirflowRescheduleException, unless the task has been put off for too long."""
    now = datetime.now(UTC)
    since = _waiting_since(context, now)
    if since is None or not -AHEAD <= now - since <= _PATIENCE:
        return
    wait = max(_SOONEST, seconds) + random.uniform(0, _LATER)  # noqa: S311  # no secret
    log.warning("%s; the slot is given back for %.0f seconds", error, wait)
    when = now + timedelta(seconds=wait)
    raise AirflowRescheduleException(when) from None  # type: ignore[no-untyped-call]  # Airflow's


def _waiting_since(context: Context, now: datetime) -> datetime | None:
    """Return since when the task is put off; None if that cannot be remembered."""
    store = task_state_store(context)
    if store is None:  # where an operator runs by itself, without Airflow around it
        return None
    try:
        found = store.get(WAITING_SINCE)
        if not found:
            store.set(WAITING_SINCE, now.isoformat())
        return parse_time(found) if found else now
    except Exception as err:  # noqa: BLE001  # whatever is wrong with it, the task's own error counts
        log.warning("Airflow does not remember the wait, so the task is retried: %s", err)
        return None
