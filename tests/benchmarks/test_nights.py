"""The benchmark of nights: small, under a real Airflow, and its parts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measuring.client import BenchmarkError
from benchmarks.measuring.engines import OURS
from benchmarks.measuring.runs import Cost
from benchmarks.nights.dags import EMPTY, TASKS
from benchmarks.nights.measure import _by_task
from benchmarks.nights.runs import NightRun
from benchmarks.nights.tables import TABLE, aim_line, summary_lines
from benchmarks.nights.task_times import TaskWatch, process_times, read_times

SCRIPT = [Path(__file__).parents[2] / "benchmarks/run", "nights"]
TINY = ("--images", "2", "--files", "1", "--rounds", "1", "--store", "directory")
BUSY = "import time; end = time.process_time() + {}\nwhile time.process_time() < end: pass"


def night(name, seconds, number=1):
    """Return a run whose tasks took equally long."""
    cost = Cost(wall=2.0, client_cpu=seconds, source_cpu=0, target_cpu=0, other_cpu=0, peak_rss=0)
    tasks = dict.fromkeys(TASKS, seconds / len(TASKS))
    return NightRun(name, number, cost, supervision=0.1, airflow=seconds + 1, tasks=tasks)


@pytest.mark.long
@pytest.mark.airflow
@pytest.mark.timeout(300)
def test_a_small_night(tmp_path):
    """Both DAGs run to their end, and what each task took is known."""
    file = tmp_path / "figures.json"
    command = [*SCRIPT, *TINY, "--json", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "2 images and 1 files, all there; files in: directory" in done.stdout
    assert "too few runs that were kept" in done.stdout
    figures = json.loads(file.read_text())
    assert [run["engine"] for run in figures["runs"]] == [OURS, EMPTY]
    for run in figures["runs"]:
        assert set(run["tasks"]) == set(TASKS)
        assert min(run["tasks"].values()) > 0
        assert sum(run["tasks"].values()) == pytest.approx(run["client_cpu"], abs=0.001)
        assert run["airflow"] > run["client_cpu"] + run["supervision"]


def test_medians_and_the_aim():
    """The ratio is one of medians; it is told of the tasks' CPU, and of each task."""
    runs = [night(OURS, x, i) for i, x in enumerate((0.4, 0.8, 0.6))]
    runs += [night(EMPTY, x, i) for i, x in enumerate((0.4, 0.4, 0.5))]
    lines = list(summary_lines(runs))
    assert lines[-1].endswith("1.3 times those of as many empty tasks: 1.50, missed")
    assert ["report", "0.15", "0.10", "0.05"] in [line.split() for line in lines]


@pytest.mark.parametrize(("ours", "end"), [(0.65, "1.30, reached"), (0.7, "1.40, missed")])
def test_the_aim_is_reached_or_missed(ours, end):
    """At the aim is reached."""
    runs = [night(name, x, i) for i in range(3) for name, x in ((OURS, ours), (EMPTY, 0.5))]
    assert aim_line(TABLE.ratios(TABLE.medians(runs))).endswith(end)


def test_times_of_a_process():
    """A name may have spaces and parentheses in it; the four times follow far behind."""
    stat = "7 (a) b (c) S 1 7 7 0 -1 0 9 9 9 9 150 50 30 20 20 0 1 0"
    ticks = os.sysconf("SC_CLK_TCK")
    times = process_times(stat)
    assert (times.own, times.children) == (200 / ticks, 50 / ticks)


def test_each_child_that_ends_is_a_step():
    """What a child used is told when it has ended and was waited for."""
    watch = TaskWatch(os.getpid())
    before = read_times(os.getpid()).children
    with watch.watching():
        for seconds in (0.2, 0.1):
            subprocess.run([sys.executable, "-c", BUSY.format(seconds)], check=True)
    first, second = watch.steps
    assert first >= 0.2
    assert second >= 0.1
    assert first + second == pytest.approx(read_times(os.getpid()).children - before)


def test_a_process_too_many_is_an_error():
    """Then nobody knows which one was which task."""
    assert _by_task([0.1] * 4, TASKS) == dict.fromkeys(TASKS, 0.1)
    with pytest.raises(BenchmarkError, match="5 processes were seen of get_assets, "):
        _by_task([0.1] * 5, TASKS)
