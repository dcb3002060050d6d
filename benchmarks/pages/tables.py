"""The figures of looks that are printed, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.measuring.tables import with_outcome
from benchmarks.pages.looks import Look
from benchmarks.pages.world import ALONE, FLEET

AIMS = {"first_row": 1.0, "filtered": 0.1}
"""Seconds, for 10,000 assets."""
_NAMES = {"first_row": "the first row stands after", "filtered": "a filter answers within"}
PAGES = {FLEET: "all clusters", ALONE: "a run of one"}


def heading() -> str:
    """Return the line above the looks."""
    return _line("round", "page", "assets", "MB sent", "first row s", "filter s")


def row(look: Look) -> str:
    """Return the line of a look."""
    return _line(str(look.round), PAGES[look.page], f"{look.rows:,}", *_figures(look))


def _figures(look: Look) -> tuple[str, str, str]:
    return f"{look.size / 1e6:.2f}", f"{look.first_row:.3f}", f"{look.filtered:.3f}"


def _line(first: str, second: str, *rest: str) -> str:
    return f"{first:<8}{second:<14}" + "".join(f"{x:>13}" for x in rest)


def medians(looks: Sequence[Look]) -> Mapping[str, Mapping[str, float]]:
    """Return the medians of each page."""
    return {
        page: {name: median(getattr(x, name) for x in its_looks) for name in AIMS}
        for page in PAGES
        if (its_looks := [x for x in looks if x.page == page])
    }


def summary_lines(looks: Sequence[Look]) -> Iterator[str]:
    """Yield the lines below the looks."""
    found = medians(looks)
    yield ""
    for page, figures in found.items():
        first_row, filtered = figures["first_row"], figures["filtered"]
        yield _line("median", PAGES[page], "", "", f"{first_row:.3f}", f"{filtered:.3f}")
    ratios = [f"{found[FLEET][x] / found[ALONE][x]:.2f}" for x in AIMS]
    yield _line("ratio", "", "", "", *ratios)
    yield ""
    for name, aim in AIMS.items():
        line = f"aim: {_NAMES[name]} {aim:g} s at most"
        yield with_outcome(line, found[FLEET][name], aim)
