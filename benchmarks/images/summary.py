"""What the runs come to: medians, ratios, and how near ours are to what is possible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from benchmarks.images.measure import Bench
from benchmarks.images.runs import ImageRun
from benchmarks.images.tables import TABLE
from benchmarks.measuring.client import Usage
from benchmarks.measuring.engines import OURS
from benchmarks.measuring.tables import Medians

ASKED_AT_A_TIME = 16  # images that a plan asks about, see kops_assets_provider/mirror/plan/plan.py


def summary_lines(bench: Bench, runs: Sequence[ImageRun], python: Usage) -> Iterator[str]:
    """Yield the lines below the runs: for each delay the medians, the ratios and the bounds."""
    direct = TABLE.medians(run for run in runs if not run.delay).get(OURS)
    for delay in sorted({run.delay for run in runs}):
        found = TABLE.medians(run for run in runs if run.delay == delay)
        yield f"\n{delay * 1000:g} ms each way" if delay else "\nwithout delay"
        yield from TABLE.median_lines(found)
        yield from TABLE.ratio_lines(found, [engine.name for engine in bench.engines])
        if OURS in found:
            yield from _bound_lines(bench, found, python)
        if OURS in found and delay and direct:
            yield _delay_line(bench, found[OURS]["wall s"] - direct["wall s"], 2 * delay)


def _bound_lines(bench: Bench, found: Medians, python: Usage) -> Iterator[str]:
    ours = bounds(found, python, bench.rule.cores)
    yield (
        f"{OURS}: all its CPU seconds on {bench.rule.cores} cores would take "
        f"{ours['bound s']:.2f} s, {ours['share of bound']:.0%} of the wall time; "
        f"peak RSS {ours['MB above Python']:.1f} MB above that of Python; "
        f"{ours['wall s without Python']:.3f} s without Python's start"
    )


def _delay_line(bench: Bench, more_seconds: float, round_trip: float) -> str:
    images = len(bench.images.digests)
    return (
        f"{OURS}: the delay costs {more_seconds / round_trip:.1f} round trips of "
        f"{1000 * round_trip:g} ms; {2 * images} HEADs, {ASKED_AT_A_TIME} at a time, take "
        f"{head_round_trips(images, ASKED_AT_A_TIME)}"
    )


def bounds(found: Medians, python: Usage, cores: int) -> dict[str, float]:
    """Return how near our medians are to what they cannot be better than."""
    ours = found[OURS]
    cpu = sum(ours[f"{who} CPU s"] for who in ("client", "source", "target"))
    return {
        "bound s": cpu / cores,
        "share of bound": cpu / cores / ours["wall s"],
        "MB above Python": ours["peak RSS MB"] - python.peak_rss / 1e6,
        "wall s without Python": ours["wall s"] - python.wall,
    }


def head_round_trips(images: int, connections: int) -> int:
    """Return the round trips of a HEAD to either registry for each image, so many at a time."""
    return 2 * ceil(images / connections)


def summary_document(bench: Bench, runs: Sequence[ImageRun], python: Usage) -> dict[str, object]:
    """Return the same as a document, by the delay in ms."""
    document: dict[str, object] = {}
    for delay in sorted({run.delay for run in runs}):
        found = TABLE.medians(run for run in runs if run.delay == delay)
        document[f"{delay * 1000:g}"] = {
            "medians": found,
            "ratios": TABLE.ratios(found),
            "bounds": bounds(found, python, bench.rule.cores) if OURS in found else None,
        }
    return document
