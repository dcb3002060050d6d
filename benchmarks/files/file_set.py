"""The files that are copied: of equal size, the same each time, and none can be compressed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring.content import incompressible


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file at the source: its name, its size in bytes, and its SHA-256 in hex."""

    name: str
    size: int
    sha: str


def write_files(directory: Path, count: int, size: int) -> list[SourceFile]:
    """Write ``count`` files of ``size`` bytes into a directory, and return what is there then."""
    directory.mkdir(parents=True, exist_ok=True)
    return [write_file(directory, f"file{number:02}", size) for number in range(1, count + 1)]


def write_file(directory: Path, name: str, size: int) -> SourceFile:
    """Write one file: the same bytes for the same name."""
    hasher = hashlib.sha256()
    with (directory / name).open("wb") as file:
        for chunk in incompressible(name, size):
            hasher.update(chunk)
            file.write(chunk)
    return SourceFile(name, size, hasher.hexdigest())
