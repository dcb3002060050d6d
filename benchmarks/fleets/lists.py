"""The clusters of a fleet: what each has of the images and files that there are."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.images.image_set import TAG
from tests.support.asset_lists import asset_list

DOWNLOADS = "https://files.example.com"
IMAGES, FILES = 37, 13  # of each cluster
ALL_IMAGES, ALL_FILES = 370, 130


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, and which of the images and files it has, by their names."""

    name: str
    images: Sequence[str]
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class Fleet:
    """All clusters."""

    clusters: Sequence[Cluster]

    @property
    def images(self) -> int:
        """How many distinct images they have."""
        return len({x for cluster in self.clusters for x in cluster.images})

    @property
    def files(self) -> int:
        """How many distinct files they have."""
        return len({x for cluster in self.clusters for x in cluster.files})

    @property
    def assets(self) -> int:
        """How many distinct assets they have."""
        return self.images + self.files

    @property
    def references(self) -> int:
        """How many assets they have if each counts once for every cluster."""
        return sum(len(x.images) + len(x.files) for x in self.clusters)


def image_names() -> list[str]:
    """Return the repositories of all images."""
    return [f"image{number:03}" for number in range(ALL_IMAGES)]


def file_names() -> list[str]:
    """Return the names of all files."""
    return [f"file{number:03}" for number in range(ALL_FILES)]


def content_of(name: str) -> bytes:
    """Return what is in a file."""
    return f"content of {name}\n".encode()


def make_fleet(clusters: int) -> Fleet:
    """Let each cluster have some assets, so that any two share some: the same ones each time."""
    return Fleet(tuple(_clusters(clusters, random.Random(1))))  # noqa: S311  # no secret


def _clusters(count: int, chosen: random.Random) -> Iterator[Cluster]:
    for number in range(count):
        images = chosen.sample(image_names(), IMAGES)
        files = chosen.sample(file_names(), FILES)
        yield Cluster(f"c{number:03}.example.com", images, files)


def write_lists(fleet: Fleet, source: str, target: str, directory: Path) -> dict[str, str]:
    """Save the clusters' lists, for registries at these hosts; return each one's path."""
    directory.mkdir()
    paths = {x.name: directory / f"{x.name}.json" for x in fleet.clusters}
    for cluster in fleet.clusters:
        paths[cluster.name].write_text(json.dumps(_document(cluster, source, target)))
    return {name: str(path) for name, path in paths.items()}


def _document(cluster: Cluster, source: str, target: str) -> Mapping[str, object]:
    # Nobody is asked about a source whose file is at the target.
    files = (
        (f"https://source.example.com/{x}", f"{DOWNLOADS}/{x}", content_of(x))
        for x in cluster.files
    )
    images = ((f"{source}/{x}:{TAG}", f"{target}/{x}:{TAG}") for x in cluster.images)
    return asset_list(cluster.name, images, files)
