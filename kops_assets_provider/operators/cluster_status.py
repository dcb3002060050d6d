"""
How a cluster stood after a run, in an XCom of its own, for the page in Airflow's UI to find.

Its key says what was done, and there are few such keys: that is what Airflow's table is indexed by.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kops_assets_provider.mirror.model.json_reader import (
    NAME,
    Check,
    fields_of,
    flag,
    line,
    number,
    optional,
    read_value,
)
from kops_assets_provider.mirror.model.schema import versioned, with_schema

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.report.report import Report


class RunKind(StrEnum):
    """What a run did about a cluster's mirror: the XCom's key."""

    COPY = "kops_assets_copy"
    CHECK = "kops_assets_check"
    DRY_RUN = "kops_assets_dry_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """
    How a cluster stood, and where more is known.

    :param cluster: its name.
    :param missing: how many assets its nodes do not get from the mirror.
    :param record: place of the mirror's record, such as ``s3://bucket/kops-assets/c.json``; None if
        there is none. The connections are those that read it.
    """

    cluster: str
    ready: bool
    missing: int
    kops_version: str
    record: str | None = None
    aws_conn_id: str | None = None
    gcp_conn_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return with_schema(asdict(self))

    @classmethod
    def from_dict(cls, values: object, where: str = "XCom") -> ClusterStatus:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(_STATUS, values, where)


_STATUS: Check[ClusterStatus] = versioned(
    fields_of(
        ClusterStatus,
        cluster=line(253),
        ready=flag,
        missing=number(),
        kops_version=line(),
        record=optional(line(NAME)),
        aws_conn_id=optional(line()),
        gcp_conn_id=optional(line()),
    )
)


def push_cluster_status(
    ti: Any, kind: RunKind, report: Report, kops_version: str, **more: Any
) -> None:
    """Push the status to XCom; ``more`` has the other fields of ``ClusterStatus``."""
    status = ClusterStatus(
        cluster=report.cluster,
        ready=report.ready,
        missing=len(report.missing),
        kops_version=kops_version,
        **more,
    )
    ti.xcom_push(key=str(kind), value=status.to_dict())
