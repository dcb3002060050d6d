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


class Done(StrEnum):
    """What a run did about a cluster's mirror: the XCom's key."""

    COPY = "kops_assets_copy"
    CHECK = "kops_assets_check"
    DRY_RUN = "kops_assets_dry_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    How a cluster stood, and where more is known.

    :param cluster: its name.
    :param bad: how many assets its nodes do not get from the mirror.
    :param record: place of the mirror's record, such as ``s3://bucket/kops-assets/c.json``; None if
        there is none. The connections are those that read it.
    """

    cluster: str
    ready: bool
    bad: int
    kops_version: str
    record: str | None = None
    aws_conn_id: str | None = None
    gcp_conn_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return with_schema(asdict(self))

    @classmethod
    def from_dict(cls, values: object, where: str = "XCom") -> Standing:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(_STANDING, values, where)


_STANDING: Check[Standing] = versioned(
    fields_of(
        Standing,
        cluster=line(253),
        ready=flag,
        bad=number(),
        kops_version=line(),
        record=optional(line(NAME)),
        aws_conn_id=optional(line()),
        gcp_conn_id=optional(line()),
    )
)


def leave_standing(ti: Any, done: Done, report: Report, kops_version: str, **more: Any) -> None:
    """Leave it in XCom; ``more`` are the other fields of ``Standing``."""
    standing = Standing(
        cluster=report.cluster,
        ready=report.ready,
        bad=len(report.missing),
        kops_version=kops_version,
        **more,
    )
    ti.xcom_push(key=str(done), value=standing.to_dict())
