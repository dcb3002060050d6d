"""
Copy twelve images for two platforms from one registry to another, by each engine that is installed.

Prints every run, the medians, and the ratios of ours to the others'.
benchmarks/README.md tells what the figures mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.images.engines import ENGINES, another_build
from benchmarks.images.image_set import planned_images
from benchmarks.images.measure import Bench
from benchmarks.images.parts import copies, no_change_copies
from benchmarks.images.runs import ImageRun
from benchmarks.images.servers import registry, registry_version
from benchmarks.images.storage import ImageSet, write_images
from benchmarks.images.summary import summary_document, summary_lines
from benchmarks.images.tables import TABLE
from benchmarks.measuring.client import Usage, interpreter_usage
from benchmarks.measuring.command_line import (
    add_options,
    discard_rule,
    exit_status,
    left_out_line,
    print_lines,
    printed,
    python_line,
)
from benchmarks.measuring.engines import chosen_engines
from benchmarks.measuring.servers import work_directory

_FULL_BYTES = 2_080_000_000
# The source, one target, and uploads of the same blob that meet in the target.
_SETS_IN_STORE = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 1 if it failed."""
    return exit_status(partial(_benchmark, _options(argv)))


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/run images", description=__doc__)
    add_options(parser, ENGINES, jobs=4)
    add = parser.add_argument
    add("--delay-ms", type=float, default=15, help="each way, with --no-change (%(default)s)")
    add("--scale", type=float, default=1, help="size of the layers (%(default)s: 2.08 GB in all)")
    add("--against", type=Path, metavar="PROGRAM", help="compare with another build's kops-assets")
    return parser.parse_args(argv)


def _benchmark(options: argparse.Namespace) -> None:
    with _prepared(options) as bench:
        python = interpreter_usage(bench.directory)
        print_lines(_head_lines(bench, python))
        delay = options.delay_ms / 1000
        runs = no_change_copies(bench, delay) if options.no_change else copies(bench)
        done = list(printed(runs, TABLE))
        print_lines(summary_lines(bench, done, python))
        if options.json:
            document = _document(bench, done, python)
            options.json.write_text(json.dumps(document, indent=2) + "\n")


@contextmanager
def _prepared(options: argparse.Namespace) -> Iterator[Bench]:
    engines = chosen_engines(ENGINES, options.engine)
    if options.against:
        engines.append(another_build(options.against))
    size = round(_FULL_BYTES * options.scale * _SETS_IN_STORE)
    with work_directory(size) as directory:
        images = write_images(directory / "source/data", planned_images(options.scale))
        with registry(directory / "source") as source:
            rule = discard_rule(options)
            rounds, jobs = options.rounds, options.jobs
            yield Bench(directory, source, images, engines, rounds, jobs, rule)


def _head_lines(bench: Bench, python: Usage) -> Iterator[str]:
    images = bench.images
    yield (
        f"{len(images.digests)} images, {len(images.blobs)} different blobs "
        f"({images.unique_bytes / 1e9:.3f} GB), {len(images.references)} references "
        f"({images.bytes_one_by_one / 1e9:.3f} GB)"
    )
    yield f"registry: {registry_version()}; data in {bench.directory.parent}"
    yield python_line(python)
    yield left_out_line(ENGINES, bench.engines)
    yield f"rule: {bench.rule}\n"
    yield TABLE.heading()


def _document(bench: Bench, runs: list[ImageRun], python: Usage) -> dict[str, object]:
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
