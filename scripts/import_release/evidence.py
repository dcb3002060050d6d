"""
What each line that a scan finds has to do with the catalogues.

``evidence.yaml`` names, for every entry of the catalogues, the findings that it was read from: by
path and key (see :class:`Finding`), or, where no single line tells it, ``path (function)`` and the
key of the whole function. ``catalogue`` has the forms of the entry itself that were compared with
those. What has no influence on an asset list is ``ignored``, with a reason. The file holds for all
releases: an older form of a line, or of an entry, stands beside the newer one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from import_release.findings import Finding
from import_release.golang import find_function, scan_go
from import_release.templates import scan_addons

FILE = Path(__file__).with_name("evidence.yaml")
_FUNCTION = re.compile(r"(.+) \((\w+)\)")
_RELEASE = re.compile(r'KOPS_RELEASE_VERSION\s*=\s*"([^"]+)"')

Claims = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Evidence:
    """Which entries explain a finding, given its path and key; none if it is ignored."""

    claims: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, entry: str, lines: Mapping[str, str]) -> None:
        for path, keys in lines.items():
            for key in keys.split():
                self.claims[path, key].add(entry)

    def ignore(self, lines: Mapping[str, str]) -> None:
        for path, keys in lines.items():
            for key in keys.split():
                self.claims[path, key] |= set()

    def entries(self, finding: Finding) -> set[str] | None:
        """Return the entries that explain a finding; None if nothing is known about it."""
        return self.claims.get((finding.path, finding.key))

    @property
    def functions(self) -> set[str]:
        """The functions to look at, as ``path (function)``."""
        return {path for path, _ in self.claims if _FUNCTION.fullmatch(path)}


def read_evidence(text: str) -> Evidence:
    """Read ``evidence.yaml``."""
    data: dict[str, Any] = yaml.safe_load(text)
    evidence = Evidence()
    for entry, lines in data["explained"].items():
        evidence.add(entry, lines)
    for reason in data["ignored"]:
        evidence.ignore(reason["lines"])
    return evidence


def scan(tree: Path, functions: Iterable[str]) -> Iterator[Finding]:
    """Yield everything in a tree on which an asset list may depend."""
    version = release_of(tree)
    yield from scan_addons(tree, version)
    yield from scan_go(tree, version)
    for place in sorted(functions):
        if match := _FUNCTION.fullmatch(place):
            found = find_function(tree, match[1], match[2], version)
            if found:
                yield found


def release_of(tree: Path) -> str:
    """
    Return the release that a tree is of.

    :raises FileNotFoundError: it is no tree of kOps
    """
    match = _RELEASE.search((tree / "kops-version.go").read_text())
    return match[1] if match else ""
