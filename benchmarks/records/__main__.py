"""
Let the records of a fleet grow for some nights, and measure how large and how slow they become.

Each cluster has 37 images and 13 files. Once a month an upgrade replaces a third of the images and
all files. Every night rewrites each record: it is read, updated and written, without a store.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from kops_assets_provider.files.targets import FileTarget, locate
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import State, now
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.outcome import Outcome, outcome_of
from kops_assets_provider.mirror.record import update as record_update
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.report.report import Report

IMAGES, FILES = 37, 13
_MONTH = 30  # nights between two upgrades
_BLOBS = 24  # of an image: six platforms with four each


@dataclass(frozen=True, slots=True)
class Night:
    """The size of a record after a night in bytes, and the seconds that its update took."""

    size: int
    seconds: float


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, and print the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks/run records", description=__doc__)
    parser.add_argument("--clusters", type=int, default=200, help="(%(default)s)")
    parser.add_argument("--nights", type=int, default=90, help="(%(default)s)")
    options = parser.parse_args(argv)
    last = []
    for number in range(options.clusters):
        nights = list(grow(f"c{number}.example.com", options.nights))
        last.append(nights[-1])
    sys.stdout.writelines(f"{line}\n" for line in _lines(nights, last))
    return 0


def grow(cluster: str, nights: int) -> Iterator[Night]:
    """Yield what each night makes of a cluster's record."""
    text: bytes | None = None
    for night in range(nights):
        listed = AssetList(cluster=cluster, kops_version="1.36.2", assets=_assets(night // _MONTH))
        is_upgrade = night % _MONTH == 0
        report = Report(
            cluster=cluster, outcomes=tuple(_outcomes(listed.assets, is_upgrade=is_upgrade))
        )
        began = time.perf_counter()
        old = parse_record(text, cluster) if text else None
        update = partial(record_update.update_record, listed=listed, locate=_locate)
        text = update(old, report, "1.36.2", f"night {night}").to_json().encode()
        yield Night(len(text), time.perf_counter() - began)


def _lines(nights: Sequence[Night], last: Sequence[Night]) -> Iterator[str]:
    for number in sorted({1, 2, 31, 61, len(nights)} & set(range(1, len(nights) + 1))):
        night = nights[number - 1]
        yield f"night {number:3}: {night.size / 1024:6.1f} KiB, {night.seconds * 1000:5.1f} ms"
    seconds = statistics.median(x.seconds for x in last)
    total = sum(x.size for x in last)
    yield (
        f"{len(last)} clusters after {len(nights)} nights: {total / 1e6:.1f} MB in all, "
        f"{seconds * 1000:.1f} ms to read, update and write one (median), "
        f"{sum(x.seconds for x in last):.2f} s for all"
    )


def _assets(upgrade: int) -> ClusterAssets:
    images = []
    for number in range(IMAGES):
        version = upgrade if number % 3 == 0 else 0
        name = f"kops/image-{number}:v1.{version}"
        images.append(
            ImageAsset(
                canonical=f"registry.k8s.io/{name}", download=f"registry.example.com/mirror/{name}"
            )
        )
    files = []
    for number in range(FILES):
        path = f"release/v1.{upgrade}.0/bin/linux/amd64/file-{number}"
        url = f"https://dl.k8s.io/{path}"
        files.append(
            FileAsset(
                canonical=url, download=f"https://files.example.com/kops/{path}", sha=_sha(url)
            )
        )
    return ClusterAssets(images=tuple(images), files=tuple(files))


def _outcomes(assets: ClusterAssets, *, is_upgrade: bool) -> Iterator[Outcome]:
    state = State.COPIED if is_upgrade else State.PRESENT
    everything: list[ImageAsset | FileAsset] = [*assets.images, *assets.files]
    for asset in everything:
        sha = _sha(asset.canonical)
        is_image = isinstance(asset, ImageAsset)
        yield outcome_of(
            asset,
            state,
            content=f"sha256:{sha}" if is_image else sha,
            source=f"sha256:{sha}" if is_image else None,
            size=10_000_000,
            verified_at=now(),
            blobs=[_sha(f"{asset}{x}")[:12] for x in range(_BLOBS)] if is_image else (),
        )


def _locate(download: str) -> FileTarget:
    return locate(download, {"https://files.example.com": "s3://bucket"})


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
