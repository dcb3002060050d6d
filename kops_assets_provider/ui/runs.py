"""
What runs have left in XCom for the page, by Airflow's own tables.

This is the part that knows Airflow's internals: ``XComModel``, its columns, and sessions of the
metadata database, Airflow 3.3. The REST API has no question for the newest of each cluster.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import ColumnElement, Select, and_, func, select

from kops_assets_provider.operators.report import REPORT_KEY
from kops_assets_provider.operators.standing import Done, Standing

_IS_OURS = XComModel.key.in_([str(x) for x in Done])
_CLUSTER = XComModel.value["cluster"].as_string()
_COLUMNS = (
    *(XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index),
    *(XComModel.key, XComModel.timestamp, XComModel.value),
)


@dataclass(frozen=True, slots=True)
class RunLeft:
    """How a cluster stood after a task of a run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    at: datetime
    done: Done
    standing: Standing

    @property
    def cluster(self) -> str:
        """Its name."""
        return self.standing.cluster

    def report(self) -> dict[str, Any] | None:
        """Return the report that the same task has left; None if it is not here."""
        found = _rows(_select(self.dag_id, self.run_id).where(*self._own_task()))
        report = next(map(XComModel.deserialize_value, found), None)
        # A backend that keeps XComs elsewhere has left but a path.
        return report if isinstance(report, dict) else None

    def _own_task(self) -> tuple[ColumnElement[bool], ...]:
        return (
            XComModel.task_id == self.task_id,
            XComModel.map_index == self.map_index,
            XComModel.key == REPORT_KEY,
        )


def newest(dag_ids: Collection[str], since: datetime) -> list[RunLeft]:
    """Return the newest of each DAG, cluster and thing done, the newest of all first."""
    of_each = XComModel.dag_id, XComModel.key, _CLUSTER
    last = (
        select(*of_each[:2], _CLUSTER.label("cluster"), func.max(XComModel.timestamp).label("at"))
        .where(_IS_OURS, XComModel.dag_id.in_(dag_ids), XComModel.timestamp >= since)
        .group_by(*of_each)
        .subquery()
    )
    is_last = and_(
        XComModel.dag_id == last.c.dag_id,
        XComModel.key == last.c.key,
        last.c.cluster == _CLUSTER,
        XComModel.timestamp == last.c.at,
    )
    query = select(*_COLUMNS).join(last, is_last).order_by(XComModel.timestamp.desc())
    return list(_left(query))


def of_run(dag_id: str, run_id: str) -> list[RunLeft]:
    """Return what one run has left."""
    return list(_left(_select(dag_id, run_id).where(_IS_OURS)))


def _select(dag_id: str, run_id: str) -> Select[Any]:
    return select(*_COLUMNS).where(XComModel.dag_id == dag_id, XComModel.run_id == run_id)


def _left(query: Select[Any]) -> Iterator[RunLeft]:
    for row in _rows(query):
        task = row.dag_id, row.run_id, row.task_id, row.map_index
        try:
            standing = Standing.from_dict(XComModel.deserialize_value(row))
            yield RunLeft(*task, row.timestamp, Done(row.key), standing)
        except (AttributeError, TypeError):
            continue  # of another release of this package, or of somebody else


def _rows(query: Select[Any]) -> Iterator[Any]:
    with create_session() as session:
        yield from session.execute(query).all()
