"""
Differences between the releases of Airflow that this package supports: 3.1, 3.2, and 3.3 and later.

No other module may depend on the release. ``docs/guide/install.md`` lists what an older one lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# mypy checks the names of the newest release; those of 3.1 are the same objects under old names.
# RETRY_BACKOFF doubles the wait before each retry: a factor, or in 3.1 the switch for the factor 2.
try:
    from airflow.sdk import conf, literal
    from airflow.sdk.exceptions import (
        AirflowException,
        AirflowFailException,
        AirflowNotFoundException,
        AirflowRescheduleException,
        AirflowTaskTimeout,
    )
    from airflow.sdk.log import mask_secret

    RETRY_BACKOFF = 2.0
except ImportError:  # 3.1
    if not TYPE_CHECKING:
        from airflow._shared import secrets_masker
        from airflow.configuration import conf
        from airflow.exceptions import (
            AirflowException,
            AirflowFailException,
            AirflowNotFoundException,
            AirflowRescheduleException,
            AirflowTaskTimeout,
        )
        from airflow.sdk import log
        from airflow.sdk.definitions.template import literal

        RETRY_BACKOFF = True

        def mask_secret(secret: str) -> None:
            log.mask_secret(secret)
            # The rendered template fields of early releases go through this one alone.
            secrets_masker.mask_secret(secret)


__all__ = [
    "RETRY_BACKOFF",
    "AirflowException",
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowRescheduleException",
    "AirflowTaskTimeout",
    "conf",
    "literal",
    "mask_secret",
    "metrics",
    "task_state_store",
]


def metrics() -> Any:
    """Return the object whose ``incr(name, count, tags=...)`` adds to a counter of Airflow."""
    try:
        from airflow.sdk.observability import stats
    except ImportError:  # 3.1
        from airflow.stats import Stats

        return Stats
    return stats if hasattr(stats, "incr") else stats.Stats  # a class in 3.2


def task_state_store(context: Any) -> Any | None:
    """Return what keeps values of a task over its tries; None before 3.3, or outside Airflow."""
    return context.get("task_state_store")
