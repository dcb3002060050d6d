"""
Plan a fleet of clusters of which nothing is to be copied, and the same clusters one by one.

Prints every run, the medians, and the ratios of the fleet's to the other's.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.fleets.lists import make_fleet, write_lists
from benchmarks.fleets.measure import Bench, ListTimes, import_usage, list_times, plans
from benchmarks.fleets.runs import FleetRun
from benchmarks.fleets.servers import full_servers, server_versions
from benchmarks.fleets.tables import AIMS, TABLE, operator_medians, ratios, summary_lines
from benchmarks.measuring.command_line import exit_status, print_lines, printed
from benchmarks.measuring.runs import DiscardRule
from benchmarks.measuring.servers import work_directory

SHARE = 0.10
_DATA_BYTES = 200_000_000


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run fleets", description=__doc__)
    add = parser.add_argument
    add("--clusters", type=int, default=200, help="in the fleet (%(default)s)")
    add("--rounds", type=int, default=3, help="runs of each way (%(default)s)")
    add("--repeats", type=int, default=2, help="repetitions of a discarded run (%(default)s)")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    options = parser.parse_args(argv)
    if min(options.clusters, options.rounds) < 1:
        parser.error("at least one cluster and one round are needed")
    return options


def _benchmark(options: argparse.Namespace) -> None:
    with _prepared(options) as bench:
        print_lines(_head_lines(bench))
        times = list_times(bench.directory, options.clusters)
        print_lines(_list_lines(times))
        print_lines(["", TABLE.heading()])
        runs = list(printed(plans(bench), TABLE))
        print_lines(summary_lines(runs))
        if options.json:
            document = _document(bench, times, runs)
            options.json.write_text(json.dumps(document, indent=2) + "\n")


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    fleet = make_fleet(options.clusters)
    rule = DiscardRule(len(os.sched_getaffinity(0)), share=SHARE, repeats=options.repeats)
    with work_directory(_DATA_BYTES) as directory, full_servers(directory) as servers:
        lists = write_lists(fleet, servers.source.host, servers.target.host, directory / "lists")
        imports = import_usage(directory)
        yield Bench(directory, servers, fleet, lists, options.rounds, rule, imports)


def _head_lines(bench: Bench) -> Iterator[str]:
    fleet = bench.fleet
    yield (
        f"{len(fleet.clusters)} clusters with {fleet.references} assets in all: "
        f"{fleet.images} different images, {fleet.files} different files"
    )
    yield f"Airflow {version('apache-airflow')}, {bench.rule.cores} cores"
    yield f"{server_versions()}; data in {bench.directory.parent}"
    yield f"a client that only imports: {_told(bench)}"
    yield f"rule: {bench.rule}"


def _told(bench: Bench) -> str:
    usage = bench.imports
    return f"{usage.wall:.2f} s, CPU {usage.cpu:.2f} s, peak RSS {usage.peak_rss / 1e6:.1f} MB"


def _list_lines(times: ListTimes) -> Iterator[str]:
    each = times.all / times.clusters
    yield (
        f"lists of {times.clusters} clusters from manifests, apart: CPU {times.all:.2f} s, "
        f"{1000 * each:.1f} ms for each; {1000 * times.first:.1f} ms for the first"
    )


def _document(bench: Bench, times: ListTimes, runs: list[FleetRun]) -> dict[str, object]:
    found = TABLE.medians(runs)
    fleet = bench.fleet
    return {
        "servers": server_versions(),
        "clusters": len(fleet.clusters),
        "references": fleet.references,
        "images": fleet.images,
        "files": fleet.files,
        "rule": str(bench.rule),
        "cores": bench.rule.cores,
        "imports": asdict(bench.imports),
        "lists": asdict(times),
        "runs": [asdict(run) for run in runs],
        "medians": found,
        "operators": operator_medians(runs),
        "ratios": ratios(found),
        "aims": AIMS,
    }


if __name__ == "__main__":
    sys.exit(main())
