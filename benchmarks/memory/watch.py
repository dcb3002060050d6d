"""Looks at the tasks of an Airflow while they run, as the kernel counts their memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from tests.support.local_airflow import LocalAirflow

_SECONDS = 0.02


@dataclass
class MemoryWatch:
    """
    The largest resident sizes so far of all processes of an Airflow, in bytes, by their ids.

    :param workers: ids of those that are workers, which fork tasks, or a task at its beginning.
    """

    airflow: LocalAirflow
    peaks: dict[int, int] = field(default_factory=dict)
    workers: set[int] = field(default_factory=set)

    def look(self) -> None:
        """Look once; who ends meanwhile is passed over."""
        for pid in self.airflow.processes():
            try:
                text = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
                peak = _peak(Path(f"/proc/{pid}/status").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.peaks[pid] = max(peak, self.peaks.get(pid, 0))
            if text.startswith("airflow worker"):
                self.workers.add(pid)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look again and again, until the block ends."""
        stop = Event()
        thread = Thread(target=self._watch, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _watch(self, stop: Event) -> None:
        while not stop.is_set():
            self.look()
            time.sleep(_SECONDS)


def _peak(status: str) -> int:
    """Return the largest resident size from the text of a /proc/PID/status, in bytes."""
    # One that has ended, and is not waited for yet, has none.
    line = next((x for x in status.splitlines() if x.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024
