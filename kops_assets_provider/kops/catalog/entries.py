"""The parts of a catalogue, as the engine sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kops_assets_provider.kops.catalog import hashes
from kops_assets_provider.kops.expressions import Condition, Template
from kops_assets_provider.kops.semver import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """A field that kOps fills in, if it is not set and the condition holds."""

    path: str
    value: Template
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A cluster that kOps fails on, and why."""

    when: Condition
    because: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRule:
    """One image."""

    image: Template
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """The images that one file of kOps' tree adds, together or once for each item of a loop."""

    when: Condition
    loop: str | None
    rules: tuple[ImageRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRule:
    """One file, for one architecture: its URL (or base URL and path), and the user's own hash."""

    url: Template
    base: Template | None
    sha: Template | None
    when: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """The files that one file of kOps' tree adds."""

    when: Condition
    rules: tuple[FileRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """All that the engine knows about one kOps release."""

    version: str
    oldest_kubernetes: Version
    newest_minor: int
    architectures: tuple[str, ...]
    facts: Mapping[str, Condition]
    refusals: tuple[Refusal, ...]
    defaults: tuple[Default, ...]
    images: tuple[ImageEntry, ...]
    files: tuple[FileEntry, ...]

    def find_sha(self, url: str) -> str | None:
        """Return the SHA-256 that this release has on board for a canonical URL, in hex."""
        return hashes.known(self.version).get(url)

    def supports(self, kubernetes: Version) -> bool:
        """Tell whether the release accepts a Kubernetes version (pre-release part dropped)."""
        newest = (self.oldest_kubernetes.major, self.newest_minor)
        return self.oldest_kubernetes <= kubernetes and (
            (kubernetes.major, kubernetes.minor) <= newest
        )

    @property
    def kubernetes_range(self) -> str:
        """The Kubernetes versions that the release supports, for a message."""
        return f"{self.oldest_kubernetes} to {self.oldest_kubernetes.major}.{self.newest_minor}"
