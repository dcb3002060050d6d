"""Prints runs, medians and ratios in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

from benchmarks.measuring.engines import OURS
from benchmarks.measuring.runs import FEWEST_RUNS, Run

# Contravariant: what can be told of any run can be told of those of one benchmark.
AnyRun_contra = TypeVar("AnyRun_contra", bound=Run, contravariant=True)
Medians = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Column(Generic[AnyRun_contra]):
    """A figure of a run: its heading with the unit, how to get it, and how many decimals."""

    heading: str
    value: Callable[[AnyRun_contra], float]
    decimals: int
    compared: bool = False

    def text(self, value: float) -> str:
        """Return a value as it is printed."""
        return f"{value:.{self.decimals}f}"


WALL: Column[Run] = Column("wall s", lambda run: run.cost.wall, 2, compared=True)
CLIENT_CPU: Column[Run] = Column("client CPU s", lambda run: run.cost.client_cpu, 2, compared=True)
SOURCE_CPU: Column[Run] = Column("source CPU s", lambda run: run.cost.source_cpu, 2)
TARGET_CPU: Column[Run] = Column("target CPU s", lambda run: run.cost.target_cpu, 2)
PEAK_RSS: Column[Run] = Column("peak RSS MB", lambda run: run.cost.peak_rss / 1e6, 1, compared=True)
OTHERS_CPU: Column[Run] = Column("others' CPU s", lambda run: run.cost.other_cpu, 2)


@dataclass(frozen=True, slots=True)
class Table(Generic[AnyRun_contra]):
    """The columns of a benchmark, and all that is printed in them."""

    columns: tuple[Column[AnyRun_contra], ...]

    def heading(self, first: str = "round") -> str:
        """Return the line above the runs."""
        return self._line(first, "engine", [column.heading for column in self.columns])

    def row(self, run: AnyRun_contra) -> str:
        """Return the line of a run."""
        values = [column.text(column.value(run)) for column in self.columns]
        mark = "  DISCARDED" if run.discarded else ""
        return self._line(str(run.round), run.engine, values) + mark

    def medians(self, runs: Iterable[AnyRun_contra]) -> Medians:
        """Return each engine's medians by heading, with the number of runs, of the runs kept."""
        kept: dict[str, list[AnyRun_contra]] = {}
        for run in runs:
            if not run.discarded:
                kept.setdefault(run.engine, []).append(run)
        return {engine: self._medians_of(its_runs) for engine, its_runs in kept.items()}

    def _medians_of(self, runs: Sequence[AnyRun_contra]) -> dict[str, float]:
        found = {x.heading: float(median(map(x.value, runs))) for x in self.columns}
        return {"runs": len(runs), **found}

    def ratios(self, found: Medians) -> Medians:
        """Return our medians divided by those of each engine, where both have runs enough."""
        ours = found.get(OURS)
        if ours is None or ours["runs"] < FEWEST_RUNS:
            return {}
        others = {
            engine: values
            for engine, values in found.items()
            if engine != OURS and values["runs"] >= FEWEST_RUNS
        }
        return {engine: self._divided(ours, values) for engine, values in others.items()}

    def _divided(
        self, ours: Mapping[str, float], others: Mapping[str, float]
    ) -> Mapping[str, float]:
        headings = [column.heading for column in self.columns if column.compared]
        return {x: ours[x] / others[x] for x in headings if others[x]}

    def median_lines(self, found: Medians) -> list[str]:
        """Return the table of medians."""
        if not found:
            return ["no run was kept"]
        lines = [self.heading("medians of")]
        for engine, values in found.items():
            numbers = [column.text(values[column.heading]) for column in self.columns]
            lines.append(self._line(f"{values['runs']:g} runs", engine, numbers))
        return lines

    def ratio_lines(self, found: Medians, engines: Iterable[str]) -> list[str]:
        """Return our medians divided by the others', or why that cannot be done."""
        divided = self.ratios(found)
        lines = [_ratio_line(engine, divided, found) for engine in engines if engine != OURS]
        return [f"{OURS} / other, ratio of medians (less than 1: less than the other):", *lines]

    def _line(self, first: str, engine: str, cells: Sequence[str]) -> str:
        widths = [max(6, len(column.heading)) for column in self.columns]
        columns = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
        return f"{first:>10}  {engine:<14}{columns}"


def with_outcome(line: str, value: float | None, aim: float, digits: int = 2) -> str:
    """Return a line about an aim with what was measured, if it was, and whether that reaches it."""
    if value is None:
        return line
    return f"{line}: {value:.{digits}f}, {'reached' if value <= aim else 'missed'}"


def _ratio_line(engine: str, divided: Medians, found: Medians) -> str:
    if engine in divided:
        values = "  ".join(f"{name} {value:.3f}" for name, value in divided[engine].items())
        return f"  {engine}: {values}"
    left = [
        f"{found[x]['runs']:g} of {x}" if x in found else f"none of {x}" for x in (OURS, engine)
    ]
    return f"  {engine}: too few runs that were kept ({', '.join(left)})"
