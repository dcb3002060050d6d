"""What the page shows of which clusters: their records, and what runs have left of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset import Problem, State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import NOTHING_MIRRORED, Report
from kops_assets_provider.operators.cluster_status import RunKind
from kops_assets_provider.operators.results import run_page
from kops_assets_provider.ui.record_access import Place, RecordPlaces
from kops_assets_provider.ui.records import Found, Records, places_of
from kops_assets_provider.ui.view import Shown
from kops_assets_provider.ui.xcoms import RunStatus, newest, of_run

log = get_logger(__name__)

MayRun = Callable[[str], bool]
"""Tells whether the user may start runs of a DAG."""
_KINDS = {RunKind.COPY: "copy", RunKind.CHECK: "check", RunKind.DRY_RUN: "dry run"}
_NO_RECORD = "It has no record; this is what its last run found."
_UNREADABLE = "The record cannot be read: {why}. This is what the last run found."
_NOT_HERE = "its report is not in Airflow's database"


def all_mirrors(
    dag_ids: Collection[str],
    since: datetime,
    records: Records,
    may_run: MayRun,
    places: RecordPlaces,
) -> list[Shown]:
    """
    Return every cluster that was mirrored, or else checked, since then.

    :param dag_ids: of the DAGs that the user may read.
    :param places: where records may be read.
    """
    lefts = newest(dag_ids, since)
    copies = _first_of_each(x for x in lefts if x.kind is RunKind.COPY)
    checks = _first_of_each(x for x in lefts if x.kind is not RunKind.COPY)
    known = {**_first_of_each(x for x in lefts if x.kind is RunKind.CHECK), **copies}
    found = _read_records(known, records, places)
    may = cache(may_run)
    return [
        replace(
            _shown(left, found.get(cluster)),
            more={
                "last_check": _last_check(checks.get(cluster), left),
                "actions": _actions(copies.get(cluster), checks.get(cluster), may),
            },
        )
        for cluster, left in known.items()
    ]


def mirrors_of_run(dag_id: str, run_id: str) -> list[Shown]:
    """Return the clusters of one run, as it found them."""
    nothing = {"last_check": None, "actions": {"copy": None, "check": None}}
    return [replace(_by_report(x, None), more=nothing) for x in of_run(dag_id, run_id)]


def _first_of_each(lefts: Iterable[RunStatus]) -> dict[str, RunStatus]:
    found: dict[str, RunStatus] = {}
    for left in lefts:
        found.setdefault(left.cluster, left)
    return found


def _read_records(
    lefts: Mapping[str, RunStatus], records: Records, places: RecordPlaces
) -> dict[str, Found]:
    """Return each cluster's record, or why it has none; nothing for one whose run names none."""
    wanted = {k: _allowed(x, places) for k, x in lefts.items() if x.status.record is not None}
    stamps = ((x, lefts[k].at) for k, x in wanted.items() if isinstance(x, Place))
    found = records.read(places_of(stamps))
    return {k: _own(k, found[x]) if isinstance(x, Place) else x for k, x in wanted.items()}


def _allowed(left: RunStatus, places: RecordPlaces) -> Place | str:
    try:
        return places.allowed(left.status)
    except InvalidInputError as err:
        return str(err)


def _own(cluster: str, found: Found) -> Found:
    # Nothing is shown of another cluster, which the user may not be allowed to see.
    if isinstance(found, MirrorRecord) and found.cluster != cluster:
        return "it is the record of another cluster"
    return found


def _shown(left: RunStatus, found: Found | None) -> Shown:
    if not isinstance(found, MirrorRecord):
        why = _UNREADABLE.format(why=found) if found else _NO_RECORD
        return _by_report(left, why if left.kind is RunKind.COPY else None)
    # The command may have written it since.
    page = run_page(left.dag_id, left.run_id) if found.run == left.run_id else None
    return Shown(
        record=found,
        kind=_kind(left),
        dag_id=left.dag_id,
        run_page=page,
        remark=_nothing_mirrored(found),
    )


def _by_report(left: RunStatus, remark: str | None) -> Shown:
    outcomes, why = _outcomes(left)
    record = _record_of(outcomes, left)
    if why:
        remark = f"{remark} But {why}." if remark else f"It is unknown: {why}."
    page = run_page(left.dag_id, left.run_id)
    return Shown(
        record=record,
        kind=_kind(left),
        dag_id=left.dag_id,
        run_page=page,
        remark=remark or _nothing_mirrored(record),
    )


def _outcomes(left: RunStatus) -> tuple[tuple[Outcome, ...], str | None]:
    """Return the outcomes of the run's report, or none and why they are not known."""
    try:
        report = left.report()
    except InvalidInputError as err:
        return (), str(err)
    except Exception as err:  # a cluster must not hide the others
        log.exception("the report of %s cannot be read", left.cluster)
        return (), f"its report cannot be read: {Problem.of(err).message}"
    return (report.outcomes, None) if report else ((), _NOT_HERE)


def _record_of(outcomes: tuple[Outcome, ...], left: RunStatus) -> MirrorRecord:
    """Return what a record would have if this had been the first run."""
    told = Report(cluster=left.cluster, outcomes=outcomes)
    record = update_record(None, told, left.status.kops_version, left.run_id)
    at = left.at.isoformat(timespec="seconds")
    return replace(record, updated_at=at, since=None, runs=())


def _nothing_mirrored(record: MirrorRecord) -> str | None:
    is_mirrored = any(x.state is not State.NOT_MIRRORED for x in record.assets)
    return None if is_mirrored or not record.assets else NOTHING_MIRRORED


def _kind(left: RunStatus) -> str:
    return _KINDS[left.kind]


def _last_check(check: RunStatus | None, shown: RunStatus) -> dict[str, Any] | None:
    """Return the last check, unless it is what is shown, or older than that."""
    if check is None or check.at <= shown.at:
        return None
    return {
        "at": check.at.isoformat(timespec="seconds"),
        "ready": check.status.ready,
        "missing": check.status.missing,
        "kind": _kind(check),
        "url": run_page(check.dag_id, check.run_id),
    }


def _actions(copy: RunStatus | None, check: RunStatus | None, may_run: MayRun) -> dict[str, Any]:
    """
    Return which DAGs copy and check: those that did it last.

    Without a check so far a dry run of the DAG that copies answers the same question.
    """
    checking = check or copy
    return {
        "copy": copy and _action(copy, may_run),
        "check": checking
        and {**_action(checking, may_run), "dry_run": checking.kind is not RunKind.CHECK},
    }


def _action(left: RunStatus, may_run: MayRun) -> dict[str, Any]:
    return {"dag_id": left.dag_id, "run_id": left.run_id, "allowed": may_run(left.dag_id)}
