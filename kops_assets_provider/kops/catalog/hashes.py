"""
The file hashes that a kOps release has on board.

They stand in ``sha256sums`` beside the catalogues, as ``sha256sum`` writes them: hash, two blanks,
URL. Each stands there once, below a line ``#`` with the releases that carry it.
``scripts/import-release`` writes the file from kOps' source trees.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

TABLES = Path(__file__).with_name("sha256sums")


@functools.cache
def known(release: str) -> Mapping[str, str]:
    """Return the release's table, URL to SHA-256 in hex; read when first asked for."""
    table: dict[str, str] = {}
    carried = False
    for line in TABLES.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            carried = release in line[1:].split()
        elif carried and line:
            sha, _, url = line.partition("  ")
            table[url] = sha
    return table
