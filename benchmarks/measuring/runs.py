"""A run and what was measured of it, and the rule that discards one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from benchmarks.measuring.client import Client, run_client
from benchmarks.measuring.processes import read_cpu_times

FEWEST_RUNS = 3
FLOOR = 0.3
# A run without changes takes a fraction of a second: the floor for whole copies would let pass
# that somebody else has one core for all of that time.
NO_CHANGE_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took: seconds, CPU seconds of who used them, and bytes."""

    wall: float
    client_cpu: float
    source_cpu: float
    target_cpu: float
    other_cpu: float
    peak_rss: int


@dataclass(frozen=True, slots=True)
class Run:
    """One copy of everything by an engine. Benchmarks add what else they know of it."""

    engine: str
    round: int
    cost: Cost
    discarded: bool = field(default=False, kw_only=True)


AnyRun = TypeVar("AnyRun", bound=Run)


def measured(
    client: Client, directory: Path, source: int, target: int, proxies: tuple[int, ...] = ()
) -> Cost:
    """
    Run a client, and return what it cost.

    :param directory: the client's home.
    :param source: process id of the server that is read from.
    :param target: of the server that is written to.
    :param proxies: of those between: what they use is not used by others.
    :raises BenchmarkError: it failed.
    """
    pids = (source, target, *proxies)
    before = read_cpu_times(pids)
    usage = run_client(client, directory)
    after = read_cpu_times(pids)
    source_cpu, target_cpu, *_ = after.servers_since(before)
    others = after.others_since(before)
    return Cost(usage.wall, usage.cpu, source_cpu, target_cpu, others, usage.peak_rss)


@dataclass(frozen=True, slots=True)
class DiscardRule:
    """
    Discards a run during which others used the machine.

    It is discarded if they used more CPU seconds than ``share`` of those that all cores had in its
    time, and more than ``floor``. It is then repeated, up to ``repeats`` times. The rule is fixed
    before the first run and looks at nothing but what others used.
    """

    cores: int
    share: float = 0.05
    floor: float = FLOOR
    repeats: int = 2

    def limit(self, wall: float) -> float:
        """Return the CPU seconds that others may use in ``wall`` seconds."""
        return max(self.floor, self.share * wall * self.cores)

    def judged(self, run: AnyRun) -> AnyRun:
        """Return the run, discarded or not."""
        return replace(run, discarded=run.cost.other_cpu > self.limit(run.cost.wall))

    def __str__(self) -> str:
        return (
            f"a run is discarded if others used more than {self.share:.0%} of the CPU seconds of "
            f"{self.cores} cores during it, and more than {self.floor:g} s; it is repeated "
            f"{self.repeats} times at most; fewer than {FEWEST_RUNS} runs that are kept make no "
            "ratio"
        )


def attempts(run_once: Callable[[], AnyRun], rule: DiscardRule) -> Iterator[AnyRun]:
    """Yield runs until one is kept, or until there were enough."""
    for _ in range(1 + rule.repeats):
        run = rule.judged(run_once())
        yield run
        if not run.discarded:
            return
