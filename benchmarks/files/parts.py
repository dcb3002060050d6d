"""The two things that are measured: a copy to an empty bucket, and one with nothing to copy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.files.engines import ENGINES, Engine
from benchmarks.files.measure import Bench, job_of, measure
from benchmarks.files.runs import FileRun
from benchmarks.files.servers import Target, counted, fresh_target
from benchmarks.files.verify import check_objects
from benchmarks.measuring.client import run_client
from benchmarks.measuring.engines import OURS, turns
from benchmarks.measuring.runs import attempts


def copies(bench: Bench) -> Iterator[FileRun]:
    """Yield the runs of all engines in turn, each to an S3 service of its own."""
    for number, engine in turns(bench.engines, bench.rounds):
        yield from attempts(partial(_copy, bench, engine, number), bench.rule)


def _copy(bench: Bench, engine: Engine, number: int) -> FileRun:
    with fresh_target(bench.directory) as target:
        return measure(bench, engine, number, target)


def no_change_copies(bench: Bench) -> Iterator[FileRun]:
    """Yield the runs of all engines in turn to an S3 service that has everything."""
    with fresh_target(bench.directory) as full, counted(full) as (target, counter):
        _fill(bench, full)
        for number, engine in turns(bench.engines, bench.rounds):
            once = partial(measure, bench, engine, number, target, counter)
            yield from attempts(once, bench.rule)


def _fill(bench: Bench, target: Target) -> None:
    """Copy everything with our own, as the night before would have."""
    (ours,) = [engine for engine in ENGINES if engine.name == OURS]
    run_client(ours.client(job_of(bench, target), bench.directory), bench.directory)
    check_objects("the preparation", bench.files, target, hashes=True)
