"""What the runs come to: medians, ratios, and how they stand to what we aim at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.files.measure import Bench
from benchmarks.files.runs import FileRun
from benchmarks.measuring.engines import OURS
from benchmarks.measuring.tables import Medians, Table, with_outcome

AIMED_AT = "upload_fileobj"
AIMS = {"client CPU s": 0.80, "peak RSS MB": 0.15}


def summary_lines(bench: Bench, runs: Sequence[FileRun], table: Table[FileRun]) -> Iterator[str]:
    """Yield the lines below the runs."""
    found = table.medians(runs)
    yield ""
    yield from table.median_lines(found)
    yield from table.ratio_lines(found, [engine.name for engine in bench.engines])
    if OURS in found:
        yield (
            f"{OURS}: peak RSS {found[OURS]['above Python MB']:.1f} MB above that of a Python "
            "that does nothing"
        )
    yield from aim_lines(table.ratios(found))


def aim_lines(ratios: Medians) -> Iterator[str]:
    """Yield the aims, and what was measured if there is a ratio."""
    for heading, aim in AIMS.items():
        line = f"aim: {heading} at most {aim:.2f} of {AIMED_AT}'s"
        yield with_outcome(line, ratios.get(AIMED_AT, {}).get(heading), aim, digits=3)


def summary_document(runs: Sequence[FileRun], table: Table[FileRun]) -> dict[str, object]:
    """Return the same as a document."""
    found = table.medians(runs)
    return {"medians": found, "ratios": table.ratios(found), "aims": {AIMED_AT: AIMS}}
