"""A run and what was measured of it, and the rule that discards one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from kops_assets_provider.testing.messages import RecordedRequest

FEWEST_RUNS = 3
FLOOR = 0.3
# A run without changes takes a fraction of a second: the floor for whole copies would let pass
# that somebody else has one core for all of that time.
NO_CHANGE_FLOOR = 0.1


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a registry was asked for: requests, bytes of blobs it sent, manifests it was given."""

    requests: int
    blob_bytes: int
    manifest_puts: int


def traffic_of(requests: Sequence[RecordedRequest]) -> Traffic:
    """Sum an access log up."""
    return Traffic(
        requests=len(requests),
        blob_bytes=sum(x.sent_bytes for x in requests if x.method == "GET" and "/blobs/" in x.path),
        manifest_puts=sum(x.method == "PUT" and "/manifests/" in x.path for x in requests),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """One copy of all images: times in seconds, sizes in bytes."""

    engine: str
    round: int
    wall: float
    client_cpu: float
    source_cpu: float
    target_cpu: float
    other_cpu: float
    source: Traffic
    target: Traffic
    peak_rss: int
    delay: float = 0.0
    discarded: bool = False

    @property
    def requests(self) -> int:
        """The requests to both registries."""
        return self.source.requests + self.target.requests

    @property
    def total_cpu(self) -> float:
        """The CPU seconds of the client and both registries."""
        return self.client_cpu + self.source_cpu + self.target_cpu


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

    def judged(self, run: Run) -> Run:
        """Return the run, discarded or not."""
        return replace(run, discarded=run.other_cpu > self.limit(run.wall))

    def __str__(self) -> str:
        return (
            f"a run is discarded if others used more than {self.share:.0%} of the CPU seconds of "
            f"{self.cores} cores during it, and more than {self.floor:g} s; it is repeated "
            f"{self.repeats} times at most; fewer than {FEWEST_RUNS} runs that are kept make no "
            "ratio"
        )


def attempts(run_once: Callable[[], Run], rule: DiscardRule) -> Iterator[Run]:
    """Yield runs until one is kept, or until there were enough."""
    for _ in range(1 + rule.repeats):
        run = rule.judged(run_once())
        yield run
        if not run.discarded:
            return
