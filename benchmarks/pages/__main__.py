"""
Look at the page in Airflow's UI, of a fleet's clusters and of a run of one cluster, in Chromium.

Prints every look, the medians, and the ratios of the one's to the other's.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.measuring.command_line import exit_status, print_lines
from benchmarks.measuring.servers import work_directory
from benchmarks.pages.looks import Look, browsers, look
from benchmarks.pages.tables import AIMS, PAGES, heading, medians, row, summary_lines
from benchmarks.pages.world import FLEET, World, mirrored

_DATA_BYTES = 200_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run pages", description=__doc__)
    add = parser.add_argument
    add("--clusters", type=int, default=200, help="in the fleet, of 50 assets each (%(default)s)")
    add("--rounds", type=int, default=5, help="looks at each page (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return parser.parse_args(argv)


def _benchmark(options: argparse.Namespace) -> None:
    with (
        work_directory(_DATA_BYTES) as directory,
        mirrored(directory, options.clusters) as world,
        browsers() as browser,
    ):
        cores = len(os.sched_getaffinity(0))
        airflow = version("apache-airflow")
        print_lines([f"Airflow {airflow}, Chromium {browser.version}, {cores} cores", ""])
        print_lines([heading()])
        first, *looks = _printed(_looks(browser, world, options.rounds))
    print_lines(summary_lines(looks))
    if options.json:
        document = {"first": asdict(first), "looks": list(map(asdict, looks))}
        document |= {"medians": medians(looks), "aims": AIMS}
        options.json.write_text(json.dumps(document, indent=2) + "\n")


def _looks(browser: Any, world: World, rounds: int) -> Iterator[Look]:
    """Look in turn; the first look reads all records, and counts in no median."""
    yield look(browser, world, FLEET, 0)
    for number in range(1, rounds + 1):
        for page in PAGES if number % 2 else reversed(PAGES):
            yield look(browser, world, page, number)


def _printed(looks: Iterator[Look]) -> Iterator[Look]:
    for each in looks:
        print_lines([row(each)])
        yield each


if __name__ == "__main__":
    sys.exit(main())
