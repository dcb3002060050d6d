"""
Copy twelve images for two platforms from one registry to another, by each engine that is installed.

Prints every run, the medians, and the ratios of ours to the others'.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from image_copies.client import Usage, interpreter_usage
from image_copies.engines import ENGINES, chosen_engines
from image_copies.image_set import planned_images
from image_copies.measure import Bench
from image_copies.parts import copies, no_change_copies
from image_copies.runs import FLOOR, NO_CHANGE_FLOOR, DiscardRule, Run
from image_copies.servers import registry, registry_version, work_directory
from image_copies.storage import ImageSet, write_images
from image_copies.summary import summary_document, summary_lines
from image_copies.tables import row, row_heading
from kops_assets_provider.exceptions import KopsAssetsError

_FULL_BYTES = 2_080_000_000
# The source, one target, and uploads of the same blob that meet in the target.
_SETS_IN_STORE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    options = _options(argv)
    # As Ctrl-C does: or servers would be left, and gigabytes in memory.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        _benchmark(options)
    except (KopsAssetsError, OSError) as err:
        sys.stderr.write(f"error: {err}\n")
        return 1
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    names = [engine.name for engine in ENGINES]
    parser = argparse.ArgumentParser(prog="benchmarks/images", description=__doc__)
    add = parser.add_argument
    add("--no-change", action="store_true", help="copy to a registry that has everything instead")
    add("--engine", action="append", choices=names, default=[], help="this one; may be repeated")
    add("--rounds", type=int, default=5, help="runs of each engine (%(default)s)")
    add("--repeats", type=int, default=2, help="repetitions of a discarded run (%(default)s)")
    add("--jobs", type=int, default=4, help="what kops-assets copies at a time (%(default)s)")
    add("--delay-ms", type=float, default=15, help="each way, with --no-change (%(default)s)")
    add("--scale", type=float, default=1, help="size of the layers (%(default)s: 2.08 GB in all)")
    add("--json", type=Path, metavar="FILE", help="write all figures there, too")
    return parser.parse_args(argv)


def _benchmark(options: argparse.Namespace) -> None:
    with _prepared(options) as bench:
        python = interpreter_usage(bench.directory)
        _print(_head_lines(bench, python))
        delay = options.delay_ms / 1000
        runs = no_change_copies(bench, delay) if options.no_change else copies(bench)
        done = list(_printed(runs))
        _print(summary_lines(bench, done, python))
        if options.json:
            document = _document(bench, done, python)
            options.json.write_text(json.dumps(document, indent=2) + "\n")


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    engines = chosen_engines(options.engine)
    # None of an empty list would be first.
    if not engines:
        raise FileNotFoundError("none of the engines is installed: see benchmarks/README.md")
    size = round(_FULL_BYTES * options.scale * _SETS_IN_STORE)
    with work_directory(size) as directory:
        images = write_images(directory / "source/data", planned_images(options.scale))
        with registry(directory / "source") as source:
            rule = _rule(options)
            rounds, jobs = options.rounds, options.jobs
            yield Bench(directory, source, images, engines, rounds, jobs, rule)


def _rule(options: argparse.Namespace) -> DiscardRule:
    cores = len(os.sched_getaffinity(0))
    floor = NO_CHANGE_FLOOR if options.no_change else FLOOR
    return DiscardRule(cores, floor=floor, repeats=options.repeats)


def _head_lines(bench: Bench, python: Usage) -> Iterator[str]:
    images = bench.images
    missing = sorted({x.name for x in ENGINES} - {x.name for x in bench.engines})
    yield (
        f"{len(images.digests)} images, {len(images.blobs)} different blobs "
        f"({images.unique_bytes / 1e9:.3f} GB), {len(images.references)} references "
        f"({images.bytes_one_by_one / 1e9:.3f} GB)"
    )
    yield f"registry: {registry_version()}; data in {bench.directory.parent}"
    yield f"Python: starts in {python.wall:.3f} s, peak RSS {python.peak_rss / 1e6:.1f} MB"
    yield f"left out: {', '.join(missing) or 'nothing'}"
    yield f"rule: {bench.rule}\n"
    yield row_heading()


def _printed(runs: Iterable[Run]) -> Iterator[Run]:
    for run in runs:
        _print([row(run)])
        yield run


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _document(bench: Bench, runs: list[Run], python: Usage) -> dict[str, object]:
    return {
        "registry": registry_version(),
        "rule": str(bench.rule),
        "cores": bench.rule.cores,
        "images": _image_figures(bench.images),
        "python": asdict(python),
        "runs": [asdict(run) for run in runs],
        "by delay in ms": summary_document(bench, runs, python),
    }


def _image_figures(images: ImageSet) -> dict[str, int]:
    return {
        "images": len(images.digests),
        "blobs": len(images.blobs),
        "references": len(images.references),
        "unique bytes": images.unique_bytes,
        "bytes one by one": images.bytes_one_by_one,
    }


if __name__ == "__main__":
    sys.exit(main())
