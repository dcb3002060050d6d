"""
One catalogue per kOps release: which images and files, under which conditions.

A release is two data files here, and no code: ``<release>.yaml`` with versions and conditions,
written by hand and reviewed against kOps' tree (see :mod:`reader` for its form), and
``<release>.sha256sums`` with the file hashes that the release has on board.
"""

from __future__ import annotations

import functools
from pathlib import Path

from kops_assets_provider.exceptions import UnknownReleaseError
from kops_assets_provider.kops.catalog.entries import Release
from kops_assets_provider.kops.catalog.reader import read_catalogue
from kops_assets_provider.kops.semver import Version, parse_version

__all__ = ["Release", "known_releases", "load_release"]

_FOLDER = Path(__file__).parent


def known_releases() -> tuple[str, ...]:
    """Return the kOps releases that there is a catalogue for, oldest first."""
    releases = [file.stem for file in _FOLDER.glob("*.yaml")]
    return tuple(sorted(releases, key=lambda release: parse_version(release) or Version(0)))


@functools.cache
def load_release(version: str) -> Release:
    """
    Return the catalogue of a kOps release, ``1.2.3`` or ``v1.2.3``.

    :raises UnknownReleaseError: there is none; the message names those that there are
    :raises InvalidCatalogError: its data file is damaged
    """
    known = known_releases()
    release = version.removeprefix("v")
    if release not in known:
        raise UnknownReleaseError(
            f"there is no catalogue for kOps {version}; known releases: {', '.join(known)}"
        )
    file = _FOLDER / f"{release}.yaml"
    return read_catalogue(file.read_text(encoding="utf-8"), file.name)
