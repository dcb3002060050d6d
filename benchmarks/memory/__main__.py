"""
Measure the memory of each kind of task under Airflow, beside a task that does nothing.

benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring.client import BenchmarkError
from benchmarks.measuring.command_line import exit_status, print_lines
from benchmarks.measuring.servers import work_directory
from benchmarks.memory.watch import MemoryWatch
from benchmarks.memory.world import COPY, EMPTY, large_assets
from tests.support.local_airflow import LocalAirflow


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run memory", description=__doc__)
    add = parser.add_argument
    add(
        "--size",
        type=int,
        default=200,
        help="of the image's layer and of the file, MB (%(default)s)",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return parser.parse_args(argv)


def _benchmark(options: argparse.Namespace) -> None:
    size = options.size * 1_000_000
    with work_directory(6 * size) as directory, large_assets(directory, size) as airflow:
        print_lines(
            [f"Airflow {version('apache-airflow')}; layer and file of {options.size} MB", ""]
        )
        watch = MemoryWatch(airflow)
        with watch.watching():
            tasks = {k: v for x in (EMPTY, COPY) for k, v in _tasks(airflow, x).items()}
    found = {name: watch.peaks.get(pid, 0) for name, pid in tasks.items()}
    found["supervisor"] = max(watch.peaks[x] for x in watch.workers - set(tasks.values()))
    print_lines(_lines(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def _tasks(airflow: LocalAirflow, dag_id: str) -> dict[str, int]:
    """Run a DAG; return the process id of each task."""
    run_id = airflow.api.trigger(dag_id)
    if airflow.api.wait(dag_id, run_id, timeout=600)["state"] != "success":
        raise BenchmarkError(f"the run of {dag_id} failed")
    found = airflow.api.task_instances(dag_id, run_id)
    return {x["task_id"]: x["pid"] for x in found if x["pid"]}


def _lines(found: Mapping[str, int]) -> Iterator[str]:
    yield f"{'process of':<16}{'peak RSS MB':>12}{'more than nothing':>20}"
    for name, peak in found.items():
        more = (peak - found["nothing"]) / 1e6
        yield f"{name:<16}{peak / 1e6:>12.0f}{more:>20.0f}"


if __name__ == "__main__":
    sys.exit(main())
