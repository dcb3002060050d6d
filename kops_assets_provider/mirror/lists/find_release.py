"""Find the catalogue of a kOps release, or the nearest one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from kops_assets_provider.exceptions import UnknownReleaseError
from kops_assets_provider.kops.catalog import Release, known_releases, load_release
from kops_assets_provider.kops.semver import Version, parse_version
from kops_assets_provider.kops.warnings import Caveat

_FULL = re.compile(r"v?\d+\.\d+\.\d+(?:[-+].*)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRelease:
    """
    A release to list for.

    :param release: it, with its own version in names and URLs.
    :param catalogue: whose rules and hashes it has: itself, or the nearest one.
    """

    release: Release
    catalogue: Release
    caveats: tuple[Caveat, ...] = ()

    @property
    def find_sha(self) -> Callable[[str], str | None]:
        """Finds the hashes that the catalogue has on board."""
        return self.catalogue.find_sha


def find_release(version: str, *, nearest: bool = False) -> FoundRelease:
    """
    Return the release ``1.2.3`` or ``v1.2.3``.

    :param nearest: for a patch release that is not known take the rules of the nearest one of the
        same minor release. Patch releases change versions, seldom rules: the caller must want it.
    :raises UnknownReleaseError: there is none; the message names the choices.
    """
    try:
        known = load_release(version)
    except UnknownReleaseError as err:
        near = _nearest(version)
        if near is None:
            choices = "kops itself can list for it (kops_command)"
            raise UnknownReleaseError(f"{err}; {choices}") from err
        if not nearest:
            choices = f"{near}'s rules can stand in (nearest_release), or kops itself can list"
            raise UnknownReleaseError(f"{err}; {choices} (kops_command)") from err
        base = load_release(near)
        message = f"computed with the rules of kOps {near}, since those of {version} are not known"
        caveat = Caveat(code="nearest-release", message=f"{message}: versions of addons may differ")
        return FoundRelease(
            release=replace(base, version=version.removeprefix("v")),
            catalogue=base,
            caveats=(caveat,),
        )
    return FoundRelease(release=known, catalogue=known)


def _nearest(version: str) -> str | None:
    wanted = parse_version(version) if _FULL.fullmatch(version) else None
    if wanted is None:
        return None
    same = [
        (abs(found.patch - wanted.patch), -found.patch, release)
        for release in known_releases()
        for found in [parse_version(release) or Version(major=0)]
        if (found.major, found.minor) == (wanted.major, wanted.minor)
    ]
    return min(same)[2] if same else None
