"""
The file hashes that a kOps release has on board.

They stand in ``<release>.sha256sums`` beside the catalogue, in the form that ``sha256sum`` writes:
hash, two blanks, URL. ``scripts/import-kops-hashes`` makes the file from kOps' source tree.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path


@functools.cache
def known(release: str) -> Mapping[str, str]:
    """Return the release's table, URL to SHA-256 in hex; read when first asked for."""
    table = Path(__file__).with_name(f"{release}.sha256sums")
    lines = table.read_text(encoding="ascii").splitlines()
    return {url: sha for sha, _, url in (line.partition("  ") for line in lines)}
