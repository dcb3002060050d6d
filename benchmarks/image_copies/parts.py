"""The two things that are measured: a copy to an empty registry, and one with nothing to copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial

from image_copies.engines import Engine, rotated
from image_copies.measure import Bench, Way, check_digests, measure
from image_copies.runs import Run, attempts
from image_copies.servers import Registry, delayed, fresh_registry, registry


def copies(bench: Bench) -> Iterator[Run]:
    """Yield the runs of all engines in turn, each to a registry of its own."""
    for number, engine in _turns(bench):
        yield from attempts(partial(_copy, bench, engine, number), bench.rule)


def _copy(bench: Bench, engine: Engine, number: int) -> Run:
    with fresh_registry(bench.directory) as target:
        return measure(bench, engine, number, target, Way(bench.source.host, target.host))


def no_change_copies(bench: Bench, delay: float) -> Iterator[Run]:
    """
    Yield the runs of all engines in turn to a registry that has everything.

    :param delay: seconds each way; every run is done without and with it.
    """
    with _full_registry(bench) as target, delayed((bench.source, target), delay) as (hosts, proxy):
        check_digests("the preparation", bench.images.digests, target)
        direct = Way(bench.source.host, target.host)
        late = Way(hosts[0], hosts[1], delay, (proxy,))
        for number, engine in _turns(bench):
            for way in (direct, late):
                once = partial(measure, bench, engine, number, target, way)
                yield from attempts(once, bench.rule)


def _full_registry(bench: Bench) -> AbstractContextManager[Registry]:
    """Run a registry on a copy of the source's storage: what a whole copy would have left."""
    directory = bench.directory / "full"
    shutil.copytree(bench.directory / "source/data", directory / "data")
    return registry(directory)


def _turns(bench: Bench) -> Iterator[tuple[int, Engine]]:
    for number in range(bench.rounds):
        for engine in rotated(bench.engines, number):
            yield number + 1, engine
