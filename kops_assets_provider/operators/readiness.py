"""Publish that a cluster's mirror has become ready, or is no longer, and notify of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.airflow_assets import READY, ready_asset
from kops_assets_provider.logs import get_logger

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.report.report import Report

log = get_logger(__name__)

Notify = Callable[[Any], object]


def publish(context: Context, report: Report) -> None:
    """Update the cluster's asset, if the mirror is whole, as soon as the task succeeds."""
    events = context.get("outlet_events")
    if events is None or not report.ready:
        return
    extra: Any = {"cluster": report.cluster, "counts": report.counts(), "sent": report.sent}
    events[READY].add(ready_asset(report.cluster), extra=extra)


def notify(
    notifiers: Sequence[Notify], context: Context, report: Report, was_ready: bool | None
) -> None:
    """
    Call the notifiers, with ``kops_report`` in their context, if the readiness has changed.

    :param was_ready: what the run before found; None if nobody knows.
    """
    if report.ready == was_ready:
        return
    told: Mapping[str, Any] = {**context, "kops_report": report.to_dict()}
    for notifier in notifiers:
        try:
            notifier(told)
        except Exception as err:  # noqa: BLE001  # who cannot be told must not hide the report
            log.warning("%s failed: %s", type(notifier).__name__, err)
