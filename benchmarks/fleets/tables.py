"""The figures that are printed, what they come to, and how they stand to what we aim at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.fleets.runs import FLEET, ONE_BY_ONE, FleetRun
from benchmarks.measuring.runs import FEWEST_RUNS
from benchmarks.measuring.tables import (
    CLIENT_CPU,
    OTHERS_CPU,
    PEAK_RSS,
    SOURCE_CPU,
    TARGET_CPU,
    WALL,
    Column,
    Medians,
    Table,
    with_outcome,
)

_AT_SOURCE: Column[FleetRun] = Column("at source", lambda run: run.at_source, 0)
_AT_TARGET: Column[FleetRun] = Column("at target", lambda run: run.at_target, 0)
_AT_STORE: Column[FleetRun] = Column("at S3", lambda run: run.at_store, 0)
_REQUESTS: Column[FleetRun] = Column("requests", lambda run: run.requests, 0, compared=True)
_PER_ASSET: Column[FleetRun] = Column("per asset", lambda run: run.per_asset, 2)

_TIMES = (WALL, CLIENT_CPU, SOURCE_CPU, TARGET_CPU)
_ASKED = (_AT_SOURCE, _AT_TARGET, _AT_STORE, _REQUESTS, _PER_ASSET)
TABLE: Table[FleetRun] = Table((*_TIMES, *_ASKED, PEAK_RSS, OTHERS_CPU))
AIMS = {"wall s": 60.0, "peak RSS MB": 512.0, "per asset": 2.0}
"""What a fleet of 200 clusters may take at most, on two cores."""


def summary_lines(runs: Sequence[FleetRun]) -> Iterator[str]:
    """Yield the lines below the runs."""
    found = TABLE.medians(runs)
    yield ""
    yield from TABLE.median_lines(found)
    yield ratio_line(found)
    yield from (_seconds_line(way, x) for way, x in operator_medians(runs).items())
    yield from aim_lines(found)


def ratios(found: Medians) -> Mapping[str, float]:
    """Return the fleet's medians divided by those of one by one, if both have runs enough."""
    if any(found.get(x, {}).get("runs", 0) < FEWEST_RUNS for x in (FLEET, ONE_BY_ONE)):
        return {}
    compared = [x.heading for x in TABLE.columns if x.compared]
    return {x: found[FLEET][x] / found[ONE_BY_ONE][x] for x in compared if found[ONE_BY_ONE][x]}


def ratio_line(found: Medians) -> str:
    """Tell the ratios, or why there are none."""
    values = "  ".join(f"{name} {value:.3f}" for name, value in ratios(found).items())
    return f"{FLEET} / {ONE_BY_ONE}, ratio of medians: {values or 'too few runs that were kept'}"


def operator_medians(runs: Sequence[FleetRun]) -> Medians:
    """Return the median seconds of each operator, by the way."""
    return {
        way: {x: median(run.seconds[x] for run in kept) for x in kept[0].seconds}
        for way in (FLEET, ONE_BY_ONE)
        if (kept := [run for run in runs if run.engine == way and not run.discarded])
    }


def _seconds_line(way: str, seconds: Mapping[str, float]) -> str:
    told = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    return f"{way}, medians of the operators' wall time: {told}"


def aim_lines(found: Medians) -> Iterator[str]:
    """Yield the aims, and what was measured if a run was kept."""
    for heading, aim in AIMS.items():
        line = f"aim: {FLEET}'s {heading} at most {aim:g}"
        yield with_outcome(line, found.get(FLEET, {}).get(heading), aim)
