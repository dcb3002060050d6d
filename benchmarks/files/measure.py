"""Runs an engine from the web server to an S3 service, and measures all that take part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files.engines import Engine, Job
from benchmarks.files.file_set import SourceFile
from benchmarks.files.runs import FileRun
from benchmarks.files.servers import RequestCounter, Target
from benchmarks.files.verify import check_objects
from benchmarks.measuring.client import Usage
from benchmarks.measuring.runs import DiscardRule, measured
from benchmarks.measuring.servers import Server


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of a benchmark have in common. ``python`` is one that does nothing."""

    directory: Path
    source: Server
    files: Sequence[SourceFile]
    engines: list[Engine]
    rounds: int
    jobs: int
    rule: DiscardRule
    python: Usage


def measure(
    bench: Bench, engine: Engine, number: int, target: Target, counter: RequestCounter | None = None
) -> FileRun:
    """
    Copy all files with an engine, in the round of that number.

    :param counter: counts the requests at the target, which has all files already.
    :raises BenchmarkError: it failed, or the target has not the files that the source has.
    """
    at_source, at_target = bench.source.request_count(), counter.count if counter else 0
    client = engine.client(job_of(bench, target, skip_present=counter is not None), bench.directory)
    cost = measured(client, bench.directory, bench.source.pid, target.pid)
    requests = bench.source.requests_since(at_source)
    check_objects(engine.name, bench.files, target, hashes=engine.writes_hashes)
    return FileRun(
        engine.name,
        number,
        cost,
        source_requests=len(requests),
        source_bytes=sum(x.sent_bytes for x in requests),
        target_requests=counter.count - at_target if counter else None,
        interpreter_rss=bench.python.peak_rss if engine.is_python else 0,
    )


def job_of(bench: Bench, target: Target, *, skip_present: bool = False) -> Job:
    """Return what there is to copy."""
    source = bench.source.component.url
    return Job(source, target, bench.files, bench.jobs, skip_present)
