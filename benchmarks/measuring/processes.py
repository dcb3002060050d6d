"""What processes have used, from Linux' /proc."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Of the first line of /proc/stat: user, nice, system, irq, softirq, steal. Steal is what the host
# took away, which disturbs no less; guest time is in user already.
_BUSY_FIELDS = (0, 1, 2, 5, 6, 7)


def find_process(argument: str | Path) -> int:
    """
    Return the id of the process that has this among its arguments, such as a path of its own.

    :raises ProcessLookupError: there is none.
    """
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and str(argument) in _arguments(entry):
            return int(entry.name)
    raise ProcessLookupError(f"no process has {argument} among its arguments")


def _arguments(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_seconds(stat: str) -> float:
    """Return user and system time from the text of a /proc/PID/stat, in steps of 10 ms."""
    # The name, in parentheses, may hold anything; the times are the 12th and 13th after it.
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


def busy_seconds(stat: str) -> float:
    """Return the time that all cores together were not idle, from the text of /proc/stat."""
    fields = stat.split("\n", 1)[0].split()[1:]
    return sum(int(fields[number]) for number in _BUSY_FIELDS) / _TICKS


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """CPU seconds so far: of the machine, of this process and its ended children, of servers."""

    busy: float
    own: float
    servers: tuple[float, ...]

    def others_since(self, earlier: CpuTimes) -> float:
        """Return what all but this process, its children and the servers used since then."""
        ours = self.own - earlier.own + sum(self.servers_since(earlier))
        # The machine's time is sampled, ours exact: the difference may be less than nothing.
        return max(0.0, self.busy - earlier.busy - ours)

    def servers_since(self, earlier: CpuTimes) -> list[float]:
        """Return what each server used since then."""
        return [now - then for now, then in zip(self.servers, earlier.servers, strict=True)]


def read_cpu_times(servers: Sequence[int]) -> CpuTimes:
    """Read the times of now. ``servers`` are process ids."""
    usages = [resource.getrusage(x) for x in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return CpuTimes(
        busy=busy_seconds(Path("/proc/stat").read_text()),
        own=sum(x.ru_utime + x.ru_stime for x in usages),
        servers=tuple(cpu_seconds(Path(f"/proc/{pid}/stat").read_text()) for pid in servers),
    )
