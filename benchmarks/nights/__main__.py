"""
Run a night in which nothing is to be copied beside a DAG of as many empty tasks, under Airflow.

Prints every run, the medians, and the ratio of ours to the other's.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring.command_line import exit_status, print_lines, printed
from benchmarks.nights.assets import served_assets
from benchmarks.nights.dags import write_dags
from benchmarks.nights.measure import Bench, nights
from benchmarks.nights.runs import NightRun
from benchmarks.nights.stores import KINDS, Store, open_store
from benchmarks.nights.tables import AIM, TABLE, summary_lines, task_medians
from benchmarks.nights.task_times import find_worker
from tests.support.local_airflow import LocalAirflow


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run nights", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="runs of each DAG (%(default)s)")
    add("--images", type=int, default=37, help="in the list (%(default)s)")
    add("--files", type=int, default=13, help="in the list (%(default)s)")
    add("--store", choices=KINDS, default=KINDS[0], help="where the files are (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return parser.parse_args(argv)


def _benchmark(options: argparse.Namespace) -> None:
    with _prepared(options) as bench:
        print_lines(_head_lines(options))
        runs = list(printed(nights(bench), TABLE))
    print_lines(summary_lines(runs))
    if options.json:
        options.json.write_text(json.dumps(_document(options, runs), indent=2) + "\n")


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as temporary,
        served_assets(Path(temporary), options.images, options.files) as assets,
        open_store(options.store, Path(temporary)) as store,
    ):
        directory = Path(temporary)
        store.fill(assets, directory)
        write_dags(directory / "dags", store.options(assets))
        with _airflow(directory, store) as airflow:
            yield Bench(airflow, find_worker(airflow), assets, options.rounds)


def _airflow(directory: Path, store: Store) -> LocalAirflow:
    """Return an Airflow that runs one task at a time."""
    env = dict(store.airflow_env)
    return LocalAirflow(directory / "airflow", directory / "dags", env=env, parallelism=1)


def _head_lines(options: argparse.Namespace) -> Iterator[str]:
    cores = len(os.sched_getaffinity(0))
    yield f"{options.images} images and {options.files} files, all there; files in: {options.store}"
    yield f"Airflow {version('apache-airflow')}, one task at a time, {cores} cores"
    yield "no run is discarded\n"
    yield TABLE.heading()


def _document(options: argparse.Namespace, runs: list[NightRun]) -> dict[str, object]:
    found = TABLE.medians(runs)
    return {
        **{name: getattr(options, name) for name in ("images", "files", "store", "rounds")},
        "runs": [_figures(run) for run in runs],
        "medians": found,
        "tasks": task_medians(runs),
        "ratios": TABLE.ratios(found),
        "aim": AIM,
    }


def _figures(run: NightRun) -> dict[str, object]:
    """Return what was measured of a run; of the clients of other benchmarks there is more."""
    figures = asdict(run)
    cost = figures.pop("cost")
    return {**figures, **{name: cost[name] for name in ("wall", "client_cpu", "other_cpu")}}


if __name__ == "__main__":
    sys.exit(main())
