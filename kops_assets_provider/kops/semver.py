"""Semantic versions, read as leniently as kOps reads them."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace

_TOLERANT = re.compile(
    r"v?(\d+)(?:\.(\d+)(?:\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?)?)?", re.ASCII
)
_IN_URL = re.compile(r"/v1\.(\d+)\.", re.ASCII)


@functools.total_ordering
@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version with semver's precedence; build metadata is dropped."""

    major: int
    minor: int = 0
    patch: int = 0
    pre: tuple[str, ...] = ()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        pre = "-" + ".".join(self.pre) if self.pre else ""
        return f"{self.major}.{self.minor}.{self.patch}{pre}"

    def final(self) -> Version:
        """Return the version without its pre-release part."""
        return replace(self, pre=())

    def _key(self) -> tuple[object, ...]:
        # Numeric identifiers sort below words, and a version with any sorts below the one without.
        words = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in self.pre)
        return (self.major, self.minor, self.patch, not self.pre, words)


def parse_version(text: str) -> Version | None:
    """Read ``1``, ``v1.2`` or ``1.2.3-rc.1+build``; None if it is no version (blang/semver v4)."""
    match = _TOLERANT.fullmatch(text.strip())
    if not match:
        return None
    major, minor, patch, pre = match.groups()
    return Version(
        major=int(major),
        minor=int(minor or 0),
        patch=int(patch or 0),
        pre=tuple(pre.split(".")) if pre else (),
    )


def parse_kubernetes_version(text: str) -> Version | None:
    """
    Read spec.kubernetesVersion, which may be a URL with a version in it.

    kOps' gates ignore pre-release and build, so both are dropped here.
    Rule: ``pkg/apis/kops/util/versions.go``, v1.36.2.
    """
    if version := parse_version(text):
        return version.final()
    match = _IN_URL.search(text)
    return Version(major=1, minor=int(match.group(1))) if match else None
