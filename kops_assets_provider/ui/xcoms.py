"""
Read what runs have pushed to XCom for the page, from Airflow's own tables.

This is the part that knows Airflow's internals: ``XComModel``, its columns, and sessions of the
metadata database, Airflow 3.1 to 3.3. The REST API has no question for the newest of each cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import Text, and_, case, cast, func, select
from sqlalchemy.sql import ColumnElement, Select

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.json_reader import parse_json
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.operators.cluster_status import ClusterStatus, RunKind
from kops_assets_provider.operators.report import REPORT_KEY

log = get_logger(__name__)

_IS_OURS = XComModel.key.in_([str(x) for x in RunKind])
_COLUMNS: tuple[Any, ...] = (
    XComModel.dag_id,
    XComModel.run_id,
    XComModel.task_id,
    XComModel.map_index,
    XComModel.key,
    XComModel.timestamp,
    # As text, for our parser: Python's follows any depth, and would end the whole query.
    cast(XComModel.value, Text).label("value"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """How a cluster stood after a task of a run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    at: datetime
    kind: RunKind
    status: ClusterStatus

    @property
    def cluster(self) -> str:
        """Its name."""
        return self.status.cluster

    def report(self) -> Report | None:
        """
        Return the report that the same task has left; None if it is not here.

        :raises InvalidInputError: it is not a report.
        """
        row = next(_rows(_select(self.dag_id, self.run_id).where(*self._own_task())), None)
        report = parse_json(row.value, "its report") if row and row.value else None
        # A backend that keeps XComs elsewhere has left but a path.
        return Report.from_dict(report, "its report") if isinstance(report, dict) else None

    def _own_task(self) -> tuple[ColumnElement[bool], ...]:
        return (
            XComModel.task_id == self.task_id,
            XComModel.map_index == self.map_index,
            XComModel.key == REPORT_KEY,
        )


def newest(dag_ids: Collection[str], since: datetime) -> list[RunStatus]:
    """Return the newest of each DAG, cluster and thing done, the newest of all first."""
    cluster = _cluster()
    at = func.max(XComModel.timestamp)
    last = (
        select(XComModel.dag_id, XComModel.key, cluster.label("cluster"), at.label("at"))
        .where(_IS_OURS, XComModel.dag_id.in_(dag_ids), XComModel.timestamp >= since)
        .group_by(XComModel.dag_id, XComModel.key, cluster)
        .subquery()
    )
    is_last = and_(
        _IS_OURS,
        XComModel.dag_id == last.c.dag_id,
        XComModel.key == last.c.key,
        last.c.cluster == cluster,
        XComModel.timestamp == last.c.at,
    )
    query = select(*_COLUMNS).join(last, is_last).order_by(XComModel.timestamp.desc())
    return list(_left(query))


def _cluster() -> ColumnElement[Any]:
    """Return the cluster that an XCom names, as SQL."""
    found: ColumnElement[Any] = XComModel.value["cluster"].as_string()
    with create_session() as session:
        dialect = session.get_bind().dialect.name
    if dialect != "sqlite":
        return found
    # SQLite keeps JSON as text, also one with NaN, and one such row would end the whole query.
    return case((func.json_valid(XComModel.value) == 1, found))


def of_run(dag_id: str, run_id: str) -> list[RunStatus]:
    """Return what one run has left."""
    return list(_left(_select(dag_id, run_id).where(_IS_OURS)))


def _select(dag_id: str, run_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(XComModel.dag_id == dag_id, XComModel.run_id == run_id)


def _left(query: Select[Any]) -> Iterator[RunStatus]:
    for row in _rows(query):
        where = f"XCom {row.key} of {row.dag_id} {row.run_id} {row.task_id}"
        try:
            status = ClusterStatus.from_dict(parse_json(row.value or "null", where), where)
        except InvalidInputError as err:
            # Of another release of this package, or of somebody else.
            log.info("the page leaves out an XCom: %s", err)
            continue
        yield RunStatus(
            dag_id=row.dag_id,
            run_id=row.run_id,
            task_id=row.task_id,
            map_index=row.map_index,
            at=row.timestamp,
            kind=RunKind(row.key),
            status=status,
        )


def _rows(query: Select[Any]) -> Iterator[Any]:
    with create_session() as session:
        yield from session.execute(query).all()
