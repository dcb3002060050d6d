"""The two things that are measured: a copy to an empty registry, and one with nothing to copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial

from benchmarks.images.engines import Engine
from benchmarks.images.measure import Bench, Way, check_digests, measure
from benchmarks.images.runs import ImageRun
from benchmarks.images.servers import Registry, delayed, fresh_registry, registry
from benchmarks.measuring.engines import turns
from benchmarks.measuring.runs import attempts


def copies(bench: Bench) -> Iterator[ImageRun]:
    """Yield the runs of all engines in turn, each to a registry of its own."""
    for number, engine in turns(bench.engines, bench.rounds):
        yield from attempts(partial(_copy, bench, engine, number), bench.rule)


def _copy(bench: Bench, engine: Engine, number: int) -> ImageRun:
    with fresh_registry(bench.directory) as target:
        return measure(bench, engine, number, target, Way(bench.source.host, target.host))


def no_change_copies(bench: Bench, delay: float) -> Iterator[ImageRun]:
    """
    Yield the runs of all engines in turn to a registry that has everything.

    :param delay: seconds each way; every run is done without and with it.
    """
    with _full_registry(bench) as target, delayed((bench.source, target), delay) as (hosts, proxy):
        check_digests("the preparation", bench.images.digests, target)
        direct = Way(bench.source.host, target.host)
        late = Way(hosts[0], hosts[1], delay, (proxy,))
        for number, engine in turns(bench.engines, bench.rounds):
            for way in (direct, late):
                once = partial(measure, bench, engine, number, target, way)
                yield from attempts(once, bench.rule)


def _full_registry(bench: Bench) -> AbstractContextManager[Registry]:
    """Run a registry on a copy of the source's storage: what a whole copy would have left."""
    directory = bench.directory / "full"
    shutil.copytree(bench.directory / "source/data", directory / "data")
    return registry(directory)
