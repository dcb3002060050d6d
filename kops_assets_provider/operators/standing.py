"""
How a cluster stood after a run, in an XCom of its own, for the page in Airflow's UI to find.

Its key names what was done and the cluster, so that the newest of each is found without reading
values: ``kops_assets/<what>/<cluster>``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.report import Report

PREFIX = "kops_assets/"


class Done(StrEnum):
    """What a run did about a cluster's mirror."""

    COPY = "copy"
    CHECK = "check"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True)
class Standing:
    """
    How a cluster stood, and where more is known.

    :param bad: how many assets its nodes do not get from the mirror.
    :param record: place of the mirror's record, such as ``s3://bucket/kops-assets/c.json``; None if
        there is none. The connections are those that read it.
    """

    ready: bool
    bad: int
    kops_version: str
    record: str | None = None
    aws_conn_id: str | None = None
    gcp_conn_id: str | None = None


def leave_standing(ti: Any, done: Done, report: Report, kops_version: str, **more: Any) -> None:
    """Leave it in XCom; ``more`` are the other fields of ``Standing``."""
    standing = Standing(report.ready, len(report.missing), kops_version, **more)
    ti.xcom_push(key=f"{PREFIX}{done}/{report.cluster}", value=asdict(standing))
