"""Runs a client once, and measures what it took and asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.fleets import client, compute_lists
from benchmarks.fleets.lists import Fleet
from benchmarks.fleets.runs import FLEET, WAYS, FleetRun
from benchmarks.fleets.servers import FILE_TARGETS, Servers
from benchmarks.measuring.client import BenchmarkError, Client, Usage, run_client
from benchmarks.measuring.runs import DiscardRule, attempts, measured
from tests import support
from tests.support.asset_lists import KOPS_VERSION

MANIFEST = Path(support.__file__).parent / "demo.example.com.yaml"
# Without the script's directory on the search path, where its neighbours could be taken for others.
_PYTHON = (sys.executable, "-P")


@dataclass(frozen=True, slots=True)
class Bench:
    """
    What all runs have in common.

    :param lists: the path of each cluster's list.
    :param imports: what a client takes that does nothing but to import all.
    """

    directory: Path
    servers: Servers
    fleet: Fleet
    lists: Mapping[str, str]
    rounds: int
    rule: DiscardRule
    imports: Usage


@dataclass(frozen=True, slots=True)
class ListTimes:
    """CPU seconds to compute lists from manifests: of the first one, and of all of them."""

    clusters: int
    first: float
    all: float


def plans(bench: Bench) -> Iterator[FleetRun]:
    """Yield the runs of both ways in turn; in each round another one is the first."""
    ways = list(WAYS)
    for number in range(1, bench.rounds + 1):
        for way in ways:
            yield from attempts(partial(measure, bench, way, number), bench.rule)
        ways.reverse()


def measure(bench: Bench, way: str, number: int) -> FleetRun:
    """
    Plan all clusters in one way, in the round of that number.

    :raises BenchmarkError: it failed, or not all was there.
    """
    servers, result = bench.servers, bench.directory / "result.json"
    counts = servers.source.request_count(), servers.target.request_count(), servers.counter.count
    planning = planning_client(way, bench.lists, bench.directory, servers.environment)
    pids = servers.source.pid, servers.target.pid, (servers.store.pid,)
    cost = measured(planning, bench.directory, *pids)
    found = json.loads(result.read_text())
    _check(way, bench.fleet, found["states"])
    return FleetRun(
        way,
        number,
        cost,
        assets=bench.fleet.assets,
        at_source=len(servers.source.requests_since(counts[0])),
        at_target=len(servers.target.requests_since(counts[1])),
        at_store=servers.counter.count - counts[2],
        seconds=found["seconds"],
        list_bytes=found["list_bytes"],
    )


def planning_client(
    way: str, lists: Mapping[str, str], directory: Path, environment: Mapping[str, str]
) -> Client:
    """Write what the client reads, and return it; its result will be in ``result.json``."""
    job, result = directory / "job.json", directory / "result.json"
    job.write_text(json.dumps({"lists": lists, "file_targets": FILE_TARGETS}))
    result.unlink(missing_ok=True)
    command = [*_PYTHON, client.__file__, way, str(job), str(result)]
    return Client([command], environment=environment)


def import_usage(directory: Path) -> Usage:
    """Return what a client takes that only imports; the first one writes Airflow's settings."""
    run_client(planning_client("nothing", {}, directory, {}), directory)
    return run_client(planning_client("nothing", {}, directory, {}), directory)


def list_times(directory: Path, clusters: int) -> ListTimes:
    """Compute the lists of so many clusters from manifests, in a process of their own."""
    result = directory / "lists.json"
    arguments = [str(MANIFEST), KOPS_VERSION, str(clusters), str(result)]
    run_client(Client([[*_PYTHON, compute_lists.__file__, *arguments]]), directory)
    return ListTimes(clusters, **json.loads(result.read_text()))


def _check(way: str, fleet: Fleet, states: Mapping[str, Any]) -> None:
    expected = {"present": fleet.assets if way == FLEET else fleet.references}
    if states != expected:
        raise BenchmarkError(f"{way}: the plans tell of {states}, not of {expected}")
