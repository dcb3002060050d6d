"""Runs an engine between two registries, and measures the three of them and all others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.images.engines import Engine, Job
from benchmarks.images.runs import ImageRun, traffic_of
from benchmarks.images.servers import Registry
from benchmarks.images.storage import ImageSet
from benchmarks.measuring.client import BenchmarkError, Client
from benchmarks.measuring.runs import DiscardRule, measured


@dataclass(frozen=True, slots=True)
class Bench:
    """What all runs of a benchmark have in common."""

    directory: Path
    source: Registry
    images: ImageSet
    engines: list[Engine]
    rounds: int
    jobs: int
    rule: DiscardRule


@dataclass(frozen=True, slots=True)
class Way:
    """
    How the registries are reached: by their own addresses, or by those of proxies.

    ``proxies`` are process ids: what they use is not used by others.
    """

    source: str
    target: str
    delay: float = 0.0
    proxies: tuple[int, ...] = ()


def measure(bench: Bench, engine: Engine, number: int, target: Registry, way: Way) -> ImageRun:
    """
    Copy all images with an engine, in the round of that number.

    :raises BenchmarkError: it failed, or the target has not the images that the source has.
    """
    job = Job(way.source, way.target, tuple(bench.images.digests), bench.jobs)
    client = Client(engine.commands(job, bench.directory))
    counts = bench.source.request_count(), target.request_count()
    cost = measured(client, bench.directory, bench.source.pid, target.pid, way.proxies)
    traffic = (
        traffic_of(bench.source.requests_since(counts[0])),
        traffic_of(target.requests_since(counts[1])),
    )
    check_digests(engine.name, bench.images.digests, target)
    return ImageRun(engine.name, number, cost, *traffic, way.delay)


def check_digests(who: str, wanted: dict[str, str], registry: Registry) -> None:
    """
    Compare the top digests of a registry with what they must be.

    :raises BenchmarkError: one is missing or another.
    """
    found = {name: registry.digest(name) for name in wanted}
    wrong = [f"{name} is {found[name]}, not {x}" for name, x in wanted.items() if found[name] != x]
    if wrong:
        raise BenchmarkError(f"wrong after {who}: {'; '.join(wrong)}")
