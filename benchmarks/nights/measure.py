"""Runs one of the DAGs once, and measures what it took."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.measuring.client import BenchmarkError
from benchmarks.measuring.engines import OURS
from benchmarks.measuring.processes import read_cpu_times
from benchmarks.measuring.runs import Cost
from benchmarks.nights.assets import AssetSet
from benchmarks.nights.dags import DAG_IDS, TASKS
from benchmarks.nights.runs import NightRun
from benchmarks.nights.task_times import TaskWatch, all_seconds, read_times
from tests.support.airflow_api import Record
from tests.support.local_airflow import LocalAirflow

_TIMEOUT = 300.0
_LATEST = 10.0
_SETTLE_SECONDS = 1.0
_MAPPED = ("copy_image", "copy_file")


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs have in common. ``worker`` is the process that starts Airflow's tasks."""

    airflow: LocalAirflow
    worker: int
    assets: AssetSet
    rounds: int


def nights(bench: Bench) -> Iterator[NightRun]:
    """Yield the runs of both DAGs in turn; in each round another one is the first."""
    for name in DAG_IDS:
        measure(bench, name, 0)  # what is loaded and cached at first is no night's cost
    names = list(DAG_IDS)
    for number in range(1, bench.rounds + 1):
        for name in names:
            yield measure(bench, name, number)
        names.reverse()


def measure(bench: Bench, name: str, number: int) -> NightRun:
    """
    Run a DAG to its end, in the round of that number.

    :raises BenchmarkError: it failed, or copied something.
    """
    time.sleep(_SETTLE_SECONDS)
    watch = TaskWatch(bench.worker)
    machine, all_before = read_cpu_times([]), all_seconds(bench.airflow)
    worker = read_times(bench.worker)
    with watch.watching():
        run = _run(bench, name)
        # A task's process ends a moment after its state is known.
        watch.wait_for(len(TASKS), _LATEST)
        time.sleep(_SETTLE_SECONDS)
    all_used = all_seconds(bench.airflow) - all_before
    now = read_times(bench.worker)
    tasks, supervision = now.children - worker.children, now.own - worker.own
    others = max(0.0, read_cpu_times([]).others_since(machine) - all_used)
    return NightRun(
        name,
        number,
        Cost(_seconds(run), tasks, 0.0, 0.0, others, 0),
        supervision=supervision,
        airflow=all_used,
        tasks=_by_task(watch.steps, _order(bench, name, run)),
    )


def _run(bench: Bench, name: str) -> Record:
    api, dag_id = bench.airflow.api, DAG_IDS[name]
    run = api.wait(dag_id, api.trigger(dag_id), _TIMEOUT)
    if run["state"] != "success":
        raise BenchmarkError(f"the run {run['dag_run_id']} of {dag_id} has {run['state']}")
    if name == OURS:
        _check_report(bench, run)
    return run


def _check_report(bench: Bench, run: Record) -> None:
    counts = bench.airflow.api.xcom(run["dag_id"], run["dag_run_id"], "report", "report")["counts"]
    if counts != {"present": bench.assets.count}:
        raise BenchmarkError(f"there was something to copy: the report has {counts}")


def _order(bench: Bench, name: str, run: Record) -> list[str]:
    """Return the tasks in the order in which they ended, those left out that never ran."""
    found = bench.airflow.api.task_instances(DAG_IDS[name], run["dag_run_id"])
    if mapped := [x["task_id"] for x in found if x["map_index"] >= 0]:
        raise BenchmarkError(f"there are mapped tasks: {', '.join(mapped)}")
    ran = [x for x in found if x["task_id"] not in _MAPPED]
    return [x["task_id"] for x in sorted(ran, key=lambda x: str(x["end_date"]))]


def _by_task(steps: Sequence[float], order: Sequence[str]) -> Mapping[str, float]:
    if len(steps) != len(order) or set(order) != set(TASKS):
        raise BenchmarkError(f"{len(steps)} processes were seen of {', '.join(order)}")
    return dict(zip(order, steps, strict=True))


def _seconds(run: Record) -> float:
    start, end = (datetime.fromisoformat(run[x]) for x in ("start_date", "end_date"))
    return (end - start).total_seconds()
