"""
One catalogue per kOps release: which images and files, under which conditions.

A release is data and no code: ``<release>.yaml`` with versions and conditions, written by hand
(see :mod:`reader` for its form), and its part of ``sha256sums``, the file hashes that it has on
board. ``docs/adding-a-release.md`` tells how a new one comes here.
"""

from __future__ import annotations

import functools
from pathlib import Path

from kops_assets_provider.exceptions import UnknownReleaseError
from kops_assets_provider.kops.catalog.entries import Release
from kops_assets_provider.kops.catalog.reader import read_catalogue
from kops_assets_provider.kops.semver import Version, parse_version

__all__ = ["Release", "catalogue_text", "known_releases", "load_release"]

_FOLDER = Path(__file__).parent


def known_releases() -> tuple[str, ...]:
    """Return the kOps releases that there is a catalogue for, oldest first."""
    releases = [file.stem for file in _FOLDER.glob("*.yaml")]
    return tuple(sorted(releases, key=lambda release: parse_version(release) or Version(major=0)))


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
    return read_catalogue(release, catalogue_text)


def catalogue_text(release: str) -> str | None:
    """Return the text of a release's own file, None if there is none."""
    if release not in known_releases():
        return None
    return (_FOLDER / f"{release}.yaml").read_text(encoding="utf-8")
