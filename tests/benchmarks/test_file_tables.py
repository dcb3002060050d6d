"""Medians, ratios and aims of copies of files."""

from __future__ import annotations

import pytest

from benchmarks.files.engines import ENGINES
from benchmarks.files.measure import Bench
from benchmarks.files.runs import FileRun
from benchmarks.files.summary import aim_lines, summary_document, summary_lines
from benchmarks.files.tables import file_table
from benchmarks.measuring.client import Usage
from benchmarks.measuring.runs import Cost, DiscardRule

PYTHON = Usage(0.02, 0.02, 10_000_000)


def runs_of(engine, cpu, rss, number=3, at_target=None):
    cost = Cost(5.0, cpu, 0.5, 9.0, 0.1, rss * 1_000_000)
    interpreter = 0 if engine == "rclone" else PYTHON.peak_rss
    return [FileRun(engine, 1, cost, 10, 1_000_000_000, at_target, interpreter)] * number


RUNS = [
    *runs_of("kops-assets", 1.5, 60),
    *runs_of("upload_fileobj", 3.0, 510),
    *runs_of("rclone", 1.5, 100),
]


def test_ratios():
    """Of times and memory; above Python for who is one, and of all of it for who is none."""
    table = file_table(no_change=False)
    ratios = table.ratios(table.medians(RUNS))
    assert ratios["upload_fileobj"] == pytest.approx(
        {"wall s": 1, "client CPU s": 0.5, "peak RSS MB": 60 / 510, "above Python MB": 0.1}
    )
    assert ratios["rclone"]["above Python MB"] == pytest.approx(0.5)


def test_columns():
    """A row has a figure below each heading; requests at the target only if they are counted."""
    (run,) = runs_of("upload_fileobj", 3.0, 510, 1, at_target=20)
    for no_change, known in ((False, False), (True, True)):
        table = file_table(no_change)
        assert len(table.heading()) == len(table.row(run))
        assert ("at target" in table.heading()) is known
    assert "20" in file_table(no_change=True).row(run).split()


def test_summary():
    """The medians, the ratios, what is above Python, and the aims."""
    table = file_table(no_change=False)
    bench = Bench(None, None, [], list(ENGINES), 3, 3, DiscardRule(cores=2), PYTHON)
    lines = "\n".join(summary_lines(bench, RUNS, table))
    assert "upload_fileobj: wall s 1.000  client CPU s 0.500" in lines
    assert "peak RSS 50.0 MB above that of a Python" in lines
    assert "client CPU s at most 0.80 of upload_fileobj's: 0.500, reached" in lines
    assert set(summary_document(RUNS, table)) == {"medians", "ratios", "aims"}


def test_aims():
    """Missed is told as well, and without a ratio the aim alone."""
    told = list(aim_lines({"upload_fileobj": {"client CPU s": 0.81, "peak RSS MB": 0.15}}))
    assert told[0].endswith("upload_fileobj's: 0.810, missed")
    assert told[1].endswith("0.150, reached")
    assert [line.rpartition(" ")[2] for line in aim_lines({})] == ["upload_fileobj's"] * 2
