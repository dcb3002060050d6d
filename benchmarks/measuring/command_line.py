"""What the benchmarks' command lines have in common."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.measuring.client import Usage
from benchmarks.measuring.engines import Engine
from benchmarks.measuring.runs import FLOOR, NO_CHANGE_FLOOR, AnyRun, DiscardRule
from benchmarks.measuring.tables import Table
from kops_assets_provider.exceptions import KopsAssetsError


def add_options(parser: argparse.ArgumentParser, engines: Iterable[Engine], jobs: int) -> None:
    """Add the options of all benchmarks; ``jobs`` is the default of that option."""
    names = [engine.name for engine in engines]
    add = parser.add_argument
    add("--no-change", action="store_true", help="copy to a target that has everything instead")
    add("--engine", action="append", choices=names, default=[], help="this one; may be repeated")
    add("--rounds", type=int, default=5, help="runs of each engine (%(default)s)")
    add("--repeats", type=int, default=2, help="repetitions of a discarded run (%(default)s)")
    add("--jobs", type=int, default=jobs, help="what is copied at a time (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")


def discard_rule(options: argparse.Namespace) -> DiscardRule:
    """Return the rule for what the options ask for."""
    cores = len(os.sched_getaffinity(0))
    floor = NO_CHANGE_FLOOR if options.no_change else FLOOR
    return DiscardRule(cores, floor=floor, repeats=options.repeats)


def exit_status(benchmark: Callable[[], None]) -> int:
    """Run the benchmark; return 1 if it failed, and tell why on standard error."""
    # As Ctrl-C does: or servers would be left, and gigabytes in memory.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        benchmark()
    except (KopsAssetsError, OSError) as err:
        sys.stderr.write(f"error: {err}\n")
        return 1
    return 0


def python_line(python: Usage) -> str:
    """Tell what a Python that does nothing takes."""
    return f"Python: starts in {python.wall:.3f} s, peak RSS {python.peak_rss / 1e6:.1f} MB"


def left_out_line(engines: Iterable[Engine], chosen: Iterable[Engine]) -> str:
    """Tell which engines do not take part."""
    missing = sorted({x.name for x in engines} - {x.name for x in chosen})
    return f"left out: {', '.join(missing) or 'nothing'}"


def printed(runs: Iterable[AnyRun], table: Table[AnyRun]) -> Iterator[AnyRun]:
    """Print each run when it is done, and hand it on."""
    for run in runs:
        print_lines([table.row(run)])
        yield run


def print_lines(lines: Iterable[str]) -> None:
    """Print lines at once, also into a pipe."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
