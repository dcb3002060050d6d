"""What the tasks of a run left in XCom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from kops_assets_provider.mirror.model.asset import Kind, Name, plan_error
from kops_assets_provider.mirror.model.json_reader import Check, read_value
from kops_assets_provider.mirror.model.outcome import OUTCOMES, Outcome, outcome
from kops_assets_provider.mirror.report.task_results import Results, planned_names
from kops_assets_provider.operators.errors import ERROR_KEY
from kops_assets_provider.operators.plan import ESTIMATES_KEY, OUTCOMES_KEY

T = TypeVar("T")


def gather_results(ti: Any, plan_task_ids: Sequence[str], copy_task_ids: Sequence[str]) -> Results:
    """
    Collect what the plans and the copies left; those of images first, then those of files.

    :raises InvalidInputError: a value in an XCom is not what our tasks leave there.
    """
    planned: set[Name] = set()
    copied: list[Outcome] = []
    logs: dict[Name | Kind, str] = {}
    for kind, plan_id, copy_id in zip(Kind, plan_task_ids, copy_task_ids, strict=True):
        plans = _pull(ti, [plan_id], "return_value", planned_names(kind))
        names = [name for plan in plans for name in plan]
        planned |= set(names)
        logs |= {name: _log_page(ti, copy_id, index) for index, name in enumerate(names)}
        logs[kind] = _log_page(ti, plan_id)
        copied += _pull_results(ti, copy_id, len(names))
    return Results(
        settled=_outcomes(ti, plan_task_ids, OUTCOMES_KEY),
        planned=planned,
        copied=copied,
        errors={x.kind: x.problem for x in _pull(ti, plan_task_ids, ERROR_KEY, plan_error)},
        ahead=_outcomes(ti, plan_task_ids, ESTIMATES_KEY),
        logs=logs,
    )


def run_page(dag_id: str, run_id: str) -> str:
    """Return where Airflow's UI (``ui/src/router.tsx``) shows a run, below its address."""
    return f"dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def _log_page(ti: Any, task_id: str, map_index: int | None = None) -> str:
    mapped = "" if map_index is None else f"/mapped/{map_index}"
    return f"{run_page(ti.dag_id, ti.run_id)}/tasks/{quote(task_id, safe='')}{mapped}"


def _outcomes(ti: Any, task_ids: Sequence[str], key: str) -> list[Outcome]:
    return [x for found in _pull(ti, task_ids, key, OUTCOMES) for x in found]


def _pull_results(ti: Any, task_id: str, count: int) -> list[Outcome]:
    """
    Return the outcomes that the first ``count`` copies left, those that succeeded first.

    After a plan was cleared and has become shorter, Airflow keeps the XComs of the tasks that are
    gone: then an asset has two outcomes, and each index is asked for by itself.
    """
    if not count:
        return []
    found = _copies(ti, task_id)
    if len({x.asset for x in found}) == len(found):
        return found
    return _copies(ti, task_id, map_indexes=list(range(count)))


def _copies(ti: Any, task_id: str, **options: Any) -> list[Outcome]:
    keys = "return_value", ERROR_KEY
    return [
        found
        for key in keys
        for found in _pull(ti, [task_id], key, _copy_outcome, **options)
        if found is not None
    ]


def _copy_outcome(value: Any) -> Outcome | None:
    # A copy of a value that is not an asset knows no names.
    is_nameless = isinstance(value, Mapping) and value.get("canonical") == ""
    return None if is_nameless else outcome(value)


def _pull(ti: Any, task_ids: Sequence[str], key: str, check: Check[T], **options: Any) -> list[T]:
    # A task that was skipped, or failed before it pushed anything, left nothing.
    found = ti.xcom_pull(task_ids=list(task_ids), key=key, **options)
    where = f"XCom {key} of {' or '.join(task_ids)}"
    return [read_value(check, x, where) for x in found if x is not None]
