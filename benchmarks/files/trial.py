"""Leaves out an engine of which the installed version cannot do what is measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks.files.engines import Engine, Job
from benchmarks.files.file_set import SourceFile, write_file
from benchmarks.files.servers import fresh_target
from benchmarks.files.verify import check_objects
from benchmarks.measuring.client import BenchmarkError, run_client
from benchmarks.measuring.servers import Server

_SIZE = 100_000


def able_engines(
    engines: Sequence[Engine], named: Collection[str], source: Server, served: Path
) -> list[Engine]:
    """
    Return the engines that copy one small file, of those that have to be tried.

    :param named: of these it is an error if they cannot.
    :param served: the directory that ``source`` serves.
    :raises BenchmarkError: one that was named cannot.
    """
    file = write_file(served, "trial", _SIZE)
    return [x for x in engines if not x.is_tried or _can(x, x.name in named, source, file, served)]


def _can(engine: Engine, named: bool, source: Server, file: SourceFile, served: Path) -> bool:
    try:
        with fresh_target(served.parent) as target:
            job = Job(source.component.url, target, [file], at_a_time=1)
            run_client(engine.client(job, served.parent), served.parent)
            check_objects(engine.name, [file], target, hashes=engine.writes_hashes)
    except BenchmarkError:
        if named:
            raise
        return False
    return True
