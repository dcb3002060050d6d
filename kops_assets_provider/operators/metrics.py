"""
What copies count, through Airflow's own metrics: docs/airflow.md has the names.

Airflow drops it all where its metrics are off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kops_assets_provider.airflow_versions import (
    AirflowRescheduleException,
    AirflowTaskTimeout,
    metrics,
)
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.outcome import Outcome

log = get_logger(__name__)

_PREFIX = "kops_assets"


@contextmanager
def measured(**tags: str) -> Iterator[None]:
    """Count a copy that fails, or that is put off because a server asked for it."""
    try:
        yield
    except AirflowRescheduleException:
        _count("rescheduled", 1, tags)
        raise
    except (Exception, AirflowTaskTimeout):
        _count("failed", 1, tags)
        raise


def count_outcome(outcome: Outcome, **tags: str) -> None:
    """Count a copy that did not fail, and what it cost."""
    _count(outcome.state.replace(" ", "_"), 1, tags)
    _count("bytes", outcome.cost.sent, tags)
    _count("mounts", outcome.cost.mounts, tags)
    _count("retries", outcome.cost.retries, tags)


def _count(name: str, number: int, tags: dict[str, str]) -> None:
    if not number:
        return
    try:
        metrics().incr(f"{_PREFIX}.{name}", number, tags=tags)
    except Exception as err:  # noqa: BLE001  # nothing is copied wrongly because nobody counts it
        log.debug("%s is not counted: %s", name, err)
