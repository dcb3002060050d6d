"""Prints runs, medians and ratios in columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from image_copies.engines import OURS
from image_copies.runs import FEWEST_RUNS, Run


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of a run: its heading with the unit, how to get it, and how many decimals."""

    heading: str
    value: Callable[[Run], float]
    decimals: int
    compared: bool = False

    def text(self, value: float) -> str:
        """Return a value as it is printed."""
        return f"{value:.{self.decimals}f}"


COLUMNS = (
    Column("wall s", lambda run: run.wall, 2, compared=True),
    Column("client CPU s", lambda run: run.client_cpu, 2, compared=True),
    Column("source CPU s", lambda run: run.source_cpu, 2),
    Column("target CPU s", lambda run: run.target_cpu, 2),
    Column("requests", lambda run: run.requests, 0, compared=True),
    Column("at source", lambda run: run.source.requests, 0),
    Column("at target", lambda run: run.target.requests, 0),
    Column("manifest PUTs", lambda run: run.target.manifest_puts, 0),
    Column("MB from source", lambda run: run.source.blob_bytes / 1e6, 1, compared=True),
    Column("peak RSS MB", lambda run: run.peak_rss / 1e6, 1, compared=True),
    Column("others' CPU s", lambda run: run.other_cpu, 2),
)

Medians = Mapping[str, Mapping[str, float]]


def row_heading() -> str:
    """Return the line above the runs."""
    return _line("round", "engine", "delay ms", [column.heading for column in COLUMNS])


def row(run: Run) -> str:
    """Return the line of a run."""
    values = [column.text(column.value(run)) for column in COLUMNS]
    mark = "  DISCARDED" if run.discarded else ""
    return _line(str(run.round), run.engine, f"{run.delay * 1000:g}", values) + mark


def medians(runs: Iterable[Run]) -> dict[str, dict[str, float]]:
    """Return each engine's medians by heading, with the number of runs, of the runs kept."""
    kept: dict[str, list[Run]] = {}
    for run in runs:
        if not run.discarded:
            kept.setdefault(run.engine, []).append(run)
    return {engine: _medians_of(its_runs) for engine, its_runs in kept.items()}


def _medians_of(runs: Sequence[Run]) -> dict[str, float]:
    found = {column.heading: float(median(map(column.value, runs))) for column in COLUMNS}
    return {"runs": len(runs), **found}


def ratios(found: Medians) -> dict[str, dict[str, float]]:
    """Return our medians divided by those of each engine, where both have runs enough."""
    ours = found.get(OURS)
    if ours is None or ours["runs"] < FEWEST_RUNS:
        return {}
    others = {
        engine: values
        for engine, values in found.items()
        if engine != OURS and values["runs"] >= FEWEST_RUNS
    }
    return {engine: _divided(ours, values) for engine, values in others.items()}


def _divided(ours: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    headings = [column.heading for column in COLUMNS if column.compared]
    return {x: ours[x] / others[x] for x in headings if others[x]}


def median_lines(found: Medians) -> list[str]:
    """Return the table of medians."""
    if not found:
        return ["no run was kept"]
    lines = [_line("medians of", "engine", "", [column.heading for column in COLUMNS])]
    for engine, values in found.items():
        numbers = [column.text(values[column.heading]) for column in COLUMNS]
        lines.append(_line(f"{values['runs']:g} runs", engine, "", numbers))
    return lines


def ratio_lines(found: Medians, engines: Iterable[str]) -> list[str]:
    """Return our medians divided by the others', or why that cannot be done."""
    divided = ratios(found)
    lines = [_ratio_line(engine, divided, found) for engine in engines if engine != OURS]
    return [f"{OURS} / other, ratio of medians (less than 1: less than the other):", *lines]


def _ratio_line(engine: str, divided: Medians, found: Medians) -> str:
    if engine in divided:
        values = "  ".join(f"{name} {value:.3f}" for name, value in divided[engine].items())
        return f"  {engine}: {values}"
    left = [
        f"{found[x]['runs']:g} of {x}" if x in found else f"none of {x}" for x in (OURS, engine)
    ]
    return f"  {engine}: too few runs that were kept ({', '.join(left)})"


def _line(first: str, engine: str, delay: str, cells: Sequence[str]) -> str:
    widths = [max(6, len(column.heading)) for column in COLUMNS]
    columns = "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{first:>10}  {engine:<12}{delay:>8}{columns}"
