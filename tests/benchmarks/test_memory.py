"""The benchmark of memory: small, under a real Airflow."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.memory.watch import _peak

SCRIPT = [Path(__file__).parents[2] / "benchmarks/run", "memory"]


@pytest.mark.long
@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_a_small_copy(tmp_path):
    """Each kind of task has a figure."""
    file = tmp_path / "figures.json"
    done = subprocess.run([*SCRIPT, "--size", "1", "--json", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    kinds = {"plan_images", "plan_files", "copy_image", "copy_file"}
    assert found.keys() == kinds | {"nothing", "get_assets", "report", "supervisor"}
    assert all(10e6 < x < 1e9 for x in found.values())


def test_what_the_kernel_tells():
    """The largest resident size; nothing of a process that has ended."""
    assert _peak("Name:\tx\nVmHWM:\t  150000 kB\nVmRSS:\t 1 kB\n") == 153_600_000
    assert _peak("Name:\tx\n") == 0
