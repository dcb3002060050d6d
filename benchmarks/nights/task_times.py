"""
What tasks have used, as the kernel counts it: from the fork of each to its end, imports included.

LocalExecutor's worker forks a process for each task, and waits for it. Then the kernel adds what
that process used to the times of the worker's children. With one worker tasks run one after the
other, so that each step of those times is one task. Nothing has to be added to the tasks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from benchmarks.measuring.client import BenchmarkError
from tests.support.local_airflow import LocalAirflow

_TICKS = os.sysconf("SC_CLK_TCK")
_POLL_SECONDS = 0.01
_TITLE = "airflow worker -- LocalExecutor"


@dataclass(frozen=True, slots=True)
class ProcessTimes:
    """CPU seconds of a process, and of its children that have ended, in steps of 10 ms."""

    own: float
    children: float


def process_times(stat: str) -> ProcessTimes:
    """Return the times from the text of a /proc/PID/stat."""
    # The name, in parentheses, may hold anything; the times are the 12th to 15th after it.
    user, system, child_user, child_system = map(int, stat.rpartition(")")[2].split()[11:15])
    return ProcessTimes((user + system) / _TICKS, (child_user + child_system) / _TICKS)


def read_times(pid: int) -> ProcessTimes:
    """Return the times of a process; raises OSError if it is gone."""
    return process_times(Path(f"/proc/{pid}/stat").read_text())


def find_worker(airflow: LocalAirflow) -> int:
    """Return the id of the one worker, while no task runs; raises BenchmarkError."""
    found = [pid for pid in airflow.processes() if _title(pid).startswith(_TITLE)]
    if len(found) != 1:
        raise BenchmarkError(f"Airflow has {len(found)} workers, expected 1")
    return found[0]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def all_seconds(airflow: LocalAirflow) -> float:
    """Return what all of Airflow has used so far, tasks included."""
    total = 0.0
    for pid in airflow.processes():
        try:
            times = read_times(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended meanwhile: its parent has its times
        total += times.own + times.children
    return total


class TaskWatch:
    """Watches the children's times of a worker. ``steps`` are what they grew by, in turn."""

    def __init__(self, worker: int) -> None:
        self.steps: list[float] = []
        self._worker = worker
        self._last = read_times(worker).children
        self._end = Event()

    def wait_for(self, count: int, timeout: float) -> None:
        """Wait for so many steps, for ``timeout`` seconds at most, while it is watched."""
        deadline = time.monotonic() + timeout
        while len(self.steps) < count and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        thread = Thread(target=self._watch)
        thread.start()
        try:
            yield
        finally:
            self._end.set()
            thread.join()
            self._look()

    def _watch(self) -> None:
        while not self._end.is_set():
            self._look()
            time.sleep(_POLL_SECONDS)

    def _look(self) -> None:
        now = read_times(self._worker).children
        if now > self._last:
            self.steps.append(now - self._last)
            self._last = now
