"""The figures of nights that are printed, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.measuring.engines import OURS
from benchmarks.measuring.tables import OTHERS_CPU, WALL, Column, Medians, Table, with_outcome
from benchmarks.nights.dags import DAG_IDS, EMPTY, TASKS
from benchmarks.nights.runs import NightRun

AIM = 1.3
TASK_CPU: Column[NightRun] = Column("task CPU s", lambda run: run.cost.client_cpu, 2, compared=True)
_WORKER: Column[NightRun] = Column("worker CPU s", lambda run: run.supervision, 2)
_ALL: Column[NightRun] = Column("all of Airflow CPU s", lambda run: run.airflow, 2, compared=True)

TABLE: Table[NightRun] = Table((WALL, TASK_CPU, _WORKER, _ALL, OTHERS_CPU))


def summary_lines(runs: Sequence[NightRun]) -> Iterator[str]:
    """Yield the lines below the runs."""
    found = TABLE.medians(runs)
    yield ""
    yield from TABLE.median_lines(found)
    yield from TABLE.ratio_lines(found, [EMPTY])
    yield ""
    yield from task_lines(task_medians(runs))
    yield aim_line(TABLE.ratios(found))


def task_medians(runs: Sequence[NightRun]) -> Medians:
    """Return the median CPU seconds of each task, by DAG and task."""
    return {
        name: {x: median(run.tasks[x] for run in its_runs) for x in TASKS}
        for name in DAG_IDS
        if (its_runs := [run for run in runs if run.engine == name])
    }


def task_lines(found: Medians) -> Iterator[str]:
    """Yield a table of the tasks, with what ours take more."""
    ours, empty = found[OURS], found[EMPTY]
    yield f"{'medians of CPU s':<18}{OURS:>14}{EMPTY:>14}{'more':>8}"
    for task in TASKS:
        more = ours[task] - empty[task]
        yield f"{task:<18}{ours[task]:>14.2f}{empty[task]:>14.2f}{more:>8.2f}"


def aim_line(ratios: Medians) -> str:
    """Tell the aim, and what was measured if there is a ratio."""
    line = f"aim: {TASK_CPU.heading} at most {AIM:g} times those of as many {EMPTY}"
    return with_outcome(line, ratios.get(EMPTY, {}).get(TASK_CPU.heading), AIM)
