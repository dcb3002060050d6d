"""
The images that are copied: twelve for two platforms, as a cluster's are.

Four images each stand on the same three layers. So there are 114 different blobs with 168
references to them: 2.08 GB, or 3.68 GB for who copies every image alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

ARCHITECTURES = ("amd64", "arm64")
TAG = "v1"

_MB = 1_000_000
_BASE_MB = 89
_IMAGES_PER_BASE = 4
# A few large and many small ones, for each platform; the first image is the one without equal.
_OWN_MB = (161, 100, 90, 80, 70, 62, 54, 46, 38, 30, 24, 17)
# Where a base, or what an image adds to it, is cut into three layers: of a base image most is the
# system, of an image nearly all is one binary.
_BASE_CUTS = (0.0, 0.70, 0.95, 1.0)
_OWN_CUTS = (0.0, 0.90, 0.98, 1.0)
_SMALLEST_LAYER = 512


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer to be made: equal names have equal bytes. ``size`` is before tar and gzip."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """An image to be made: its layers for each architecture, the lowest first."""

    name: str
    layers: dict[str, tuple[Layer, ...]]


def planned_images(scale: float = 1.0) -> list[PlannedImage]:
    """Return the whole set. ``scale`` makes the layers smaller, and none of them fewer."""
    return [
        PlannedImage(f"app{number:02}", {x: _layers(number, x, scale) for x in ARCHITECTURES})
        for number in range(1, len(_OWN_MB) + 1)
    ]


def _layers(number: int, architecture: str, scale: float) -> tuple[Layer, ...]:
    base = f"base{(number - 1) // _IMAGES_PER_BASE}/{architecture}"
    own = f"app{number:02}/{architecture}"
    own_mb = _OWN_MB[number - 1]
    return (*_cut(base, _BASE_MB * scale, _BASE_CUTS), *_cut(own, own_mb * scale, _OWN_CUTS))


def _cut(name: str, megabytes: float, cuts: tuple[float, ...]) -> Iterator[Layer]:
    for number, (start, end) in enumerate(pairwise(cuts)):
        size = max(_SMALLEST_LAYER, round(megabytes * _MB * (end - start)))
        yield Layer(f"{name}/{number}", size)
