"""
Copy ten files from a web server to an S3 service, by each engine that is installed.

Prints every run, the medians, and the ratios of ours to the others'.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial

from benchmarks.files.engines import ENGINES, Engine
from benchmarks.files.file_set import write_files
from benchmarks.files.measure import Bench
from benchmarks.files.parts import copies, no_change_copies
from benchmarks.files.runs import FileRun
from benchmarks.files.servers import file_server, server_versions
from benchmarks.files.summary import summary_document, summary_lines
from benchmarks.files.tables import file_table
from benchmarks.files.trial import able_engines
from benchmarks.measuring.client import interpreter_usage
from benchmarks.measuring.command_line import (
    add_options,
    discard_rule,
    exit_status,
    left_out_line,
    print_lines,
    printed,
    python_line,
)
from benchmarks.measuring.engines import chosen_engines
from benchmarks.measuring.servers import work_directory
from benchmarks.measuring.tables import Table

_MIB = 1024 * 1024
# The source, one target, and what is sent a second time after a failure.
_SETS_IN_STORE = 3

SHARE = 0.10  # of all CPU seconds; what the kernel does by itself for large buffers is others', too


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run files", description=__doc__)
    add_options(parser, ENGINES, jobs=3)
    add = parser.add_argument
    add("--count", type=int, default=10, help="files (%(default)s)")
    add("--size", type=float, default=100, metavar="MIB", help="of each file (%(default)s MiB)")
    options = parser.parse_args(argv)
    if unable := set(options.engine) - {x.name for x in _candidates(options)}:
        parser.error(f"{', '.join(unable)}: would copy everything again, cannot be asked not to")
    return options


def _candidates(options: argparse.Namespace) -> list[Engine]:
    return [x for x in ENGINES if not options.no_change or x.skip_options is not None]


def _benchmark(options: argparse.Namespace) -> None:
    table = file_table(options.no_change)
    with _prepared(options) as bench:
        print_lines(_head_lines(bench, table))
        runs = no_change_copies(bench) if options.no_change else copies(bench)
        done = list(printed(runs, table))
        print_lines(summary_lines(bench, done, table))
        if options.json:
            document = _document(bench, done, table)
            options.json.write_text(json.dumps(document, indent=2) + "\n")


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    engines = chosen_engines(_candidates(options), options.engine)
    size = round(options.size * _MIB)
    with work_directory(options.count * size * _SETS_IN_STORE) as directory:
        served = directory / "source"
        files = write_files(served, options.count, size)
        with file_server(served) as source:
            able = able_engines(engines, options.engine, source, served)
            rule = replace(discard_rule(options), share=SHARE)
            python = interpreter_usage(directory)
            yield Bench(directory, source, files, able, options.rounds, options.jobs, rule, python)


def _head_lines(bench: Bench, table: Table[FileRun]) -> Iterator[str]:
    size = bench.files[0].size
    yield f"{len(bench.files)} files of {size / _MIB:g} MiB, {bench.jobs} at a time"
    yield f"{server_versions()}; data in {bench.directory.parent}"
    yield python_line(bench.python)
    yield left_out_line(ENGINES, bench.engines)
    yield f"rule: {bench.rule}\n"
    yield table.heading()


def _document(bench: Bench, runs: list[FileRun], table: Table[FileRun]) -> dict[str, object]:
    return {
        "servers": server_versions(),
        "rule": str(bench.rule),
        "cores": bench.rule.cores,
        "files": [asdict(file) for file in bench.files],
        "python": asdict(bench.python),
        "runs": [asdict(run) for run in runs],
        **summary_document(runs, table),
    }


if __name__ == "__main__":
    sys.exit(main())
