"""What a scan of kOps' tree finds: lines on which the asset list may depend."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

# A version is compared with what the catalogue says, so that it does not make another line.
_VERSION = re.compile(r"\bv?\d+(?:\.\d+)+[\w.+-]*")
# YAML would read some hex digits as a number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Finding:
    """
    One line, with the conditions around it and the values that it gives.

    Where no single line tells it, a whole function: ``path (function)``, its code all around it.

    The key tells two lines of a file apart by all but their versions: it stays when a release
    only takes a newer version, and is another when the line or a condition around it changes.
    """

    path: str
    line: int
    text: str
    stack: tuple[str, ...]
    values: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        shape = [_VERSION.sub("#", self.text), *self.stack]
        return hashlib.sha256("\n".join(shape).encode()).hexdigest()[:8].translate(_LETTERS)

    @property
    def is_function(self) -> bool:
        return self.path.endswith(")")

    @property
    def file(self) -> str:
        return self.path.partition(" ")[0]

    def __str__(self) -> str:
        # A function's code is too long to be told; it is to be read in the tree.
        headers = () if self.is_function else self.stack
        around = "".join(f"\n      in {header}" for header in headers)
        return f"{self.path}:{self.line} [{self.key}] {self.text}{around}"


def squeezed(text: str) -> str:
    """Return a text with every run of blanks made one."""
    return _BLANKS.sub(" ", text).strip()


def pieces(values: Iterable[str], own_version: str) -> tuple[str, ...]:
    """
    Return the constant pieces of values: what is left beside architectures and Go's verbs.

    :param own_version: of the tree, which a catalogue has a placeholder for
    """
    moving = re.compile(rf"(?<=[:/]){re.escape(own_version)}(?![\w.])|amd64|arm64|%[a-z]")
    return tuple(piece for value in values for piece in moving.split(value) if piece.strip(" :/-"))
