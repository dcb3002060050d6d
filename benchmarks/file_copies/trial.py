"""Leaves out an engine of which the installed version cannot do what is measured."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from measuring.client import BenchmarkError, run_client
from measuring.servers import Server

from file_copies.engines import Engine, Job
from file_copies.file_set import SourceFile, write_file
from file_copies.servers import fresh_target
from file_copies.verify import check_objects

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
