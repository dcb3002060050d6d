"""
A small tree in the shape of kOps', made from a catalogue: what import-release scans, without kOps.

Every entry has a block of its own in the file that it names as its origin: a template block around
its images, or a Go function with its values and a call of the asset builder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from import_release.compare import entries_of, form_of
from import_release.evidence import Evidence, scan
from import_release.templates import ADDONS

from kops_assets_provider.kops.catalog.layers import Whole

PLACEHOLDER = re.compile(r"\{[\w.]+(?:\|([^{}]*))?\}")
OLDEST = "upup/pkg/fi/cloudup/apply_cluster.go"


@dataclass
class SyntheticTree:
    """The tree's folder, and the evidence that explains all of it."""

    root: Path
    evidence: Evidence = field(default_factory=Evidence)
    owners: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, path: str, text: str) -> None:
        file = self.root / path.replace("addons/", f"{ADDONS}/", 1)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((file.read_text() if file.exists() else "") + text)


def make_tree(root: Path, whole: Whole) -> SyntheticTree:
    """Write a tree that a catalogue explains."""
    tree = SyntheticTree(root)
    release = whole.head["kops"].value
    tree.add("kops-version.go", f'KOPS_RELEASE_VERSION = "{release}"\n')
    functions = set()
    for number, (name, entry) in enumerate(entries_of(whole)):
        tree.evidence.add(name, {"catalogue": form_of(entry).key})
        if name.startswith("facts."):
            continue
        origin = entry.get("origin", OLDEST)
        path, _, function = origin.removesuffix(")").partition(" (")
        block = function or f"block{number}"
        if function:
            functions.add(origin)
        tree.owners[path, block] = name
        tree.add(path, _template(block, entry) if path.startswith("addons/") else _go(block, entry))
    for finding in scan(root, functions):
        owners = [n for (_, block), n in tree.owners.items() if block in str(finding.stack)]
        if finding.is_function:
            owners = [n for n, e in entries_of(whole) if e.get("origin") == finding.path]
        for owner in owners:
            tree.evidence.add(owner, {finding.path: finding.key})
    return tree


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in {"name", "origin", "because", "set", "for_each"}:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    else:
        yield str(value)


def _template(block: str, entry: dict[str, Any]) -> str:
    lines = [f"{{{{ if {block} }}}}"]
    for text in _texts(entry.get("images", ["{value}"])):
        value = PLACEHOLDER.sub(lambda m: f'{{{{ or .Value "{m[1] or ""}" }}}}', text)
        lines.append(f"      - image: {value}")
    return "\n".join([*lines, "{{ end }}", ""])


def _go(block: str, entry: dict[str, Any]) -> str:
    lines = [f"func {block}() {{", "\tassetBuilder.RemapFile(u)"]
    for text in _texts(entry):
        parts = [PLACEHOLDER.sub("%s", text), *PLACEHOLDER.findall(text)]
        lines += [f'\tx = "{part}"' for part in parts if part and '"' not in part]
    return "\n".join([*lines, "}", ""])
