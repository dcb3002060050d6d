"""The benchmark of the page: small, under a real Airflow and in a real browser, and its tables."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.pages.looks import Look
from benchmarks.pages.tables import summary_lines
from benchmarks.pages.world import ALONE, FLEET

SCRIPT = [Path(__file__).parents[2] / "benchmarks/run", "pages"]


@pytest.mark.long
@pytest.mark.airflow
@pytest.mark.component
@pytest.mark.timeout(300)
def test_a_small_fleet(tmp_path):
    """Both pages stand, each with the assets of its clusters."""
    file = tmp_path / "figures.json"
    command = [*SCRIPT, "--clusters", "2", "--rounds", "1", "--json", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    looks = json.loads(file.read_text())["looks"]
    assert {x["page"]: x["rows"] for x in looks} == {FLEET: 100, ALONE: 50}
    assert all(0 < x["first_row"] < 60 and 0 < x["filtered"] < 60 for x in looks)


def test_medians_and_aims():
    """The ratio is one of medians; the aims are for the page of all clusters."""
    looks = [Look(FLEET, n, x, 0.02, 10_000, 4_000_000) for n, x in enumerate((0.8, 0.6, 1.4))]
    looks += [Look(ALONE, n, 0.4, 0.02, 50, 20_000) for n in range(3)]
    lines = list(summary_lines(looks))
    assert lines[-2:] == [
        "aim: the first row stands after 1 s at most: 0.80, reached",
        "aim: a filter answers within 0.1 s at most: 0.02, reached",
    ]
    assert ["ratio", "2.00", "1.00"] in [line.split() for line in lines]
