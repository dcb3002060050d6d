"""
Finds, in kOps' Go code, the lines on which an asset list may depend.

gofmt's indentation tells the blocks apart, so that no parser is needed: the headers around a line
are those that are indented less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from import_release.findings import Finding, pieces, squeezed

ADDON_BUILDERS = "upup/pkg/fi/cloudup/bootstrapchannelbuilder"
# Where kOps fills in what a spec does not say.
DEFAULTS = (
    "pkg/apis/kops/containerdconfig.go",
    "pkg/model/components",
    "pkg/nodemodel",
    "upup/pkg/fi/cloudup/apply_cluster.go",
    "upup/pkg/fi/cloudup/defaults.go",
)
# Only these speak to the asset builder.
_CALLERS = ("cmd/kops", "pkg", "upup")
_CALL = re.compile(r'\b(?:Remap[A-Z]\w*|NormalizeImage|ResourceNodeUp)\(|\bImage\("')
_ADDON = re.compile(r"\.(?:Add|AddWithSource)\(")
_ADDON_KEY = re.compile(r'\bkey := "([^"]+)"')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|^\s*image: (\S+)$')
_VALUE = re.compile(
    r"\d\.\d|https://\w|linux[/-]|^kube-(?:apiserver|controller-manager|proxy|scheduler)$|^[a-z0-9.-]+/[a-z0-9./-]+:"
)
# What is only told to the user.
_TOLD = re.compile(r"\b(?:klog|fmt\.(?:Errorf|Print\w*))\b")
_IMPORT = re.compile(r'(?:import )?(?:\w+ )?"[^"]+"$')
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|::")
_COMMENT = re.compile(r"(?:^|\s)//(?:\s.*)?$|^\s*//.*$")
_HEADER = re.compile(r"(?:\} )?(?:if|else|for|switch|select|func)\b|(?:case\b.*|default):$")
_FUNCTION = re.compile(r"^func (?:\([^)]*\) )?(\w+)\(")


@dataclass(frozen=True)
class Line:
    """A line of Go without its comment, and the headers of the blocks around it."""

    number: int
    text: str
    stack: tuple[str, ...]


def scan_go(tree: Path, own_version: str) -> Iterator[Finding]:
    """Yield a finding for each call of the asset builder, default with a version, and addon."""
    for root in _CALLERS:
        for file in sorted((tree / root).rglob("*.go")):
            path = file.relative_to(tree).as_posix()
            if not path.endswith("_test.go") and "/tests/" not in path:
                yield from _scan(path, file.read_text(), own_version)


def _scan(path: str, text: str, own_version: str) -> Iterator[Finding]:
    defaults = any(path == root or path.startswith(f"{root}/") for root in DEFAULTS)
    addons = path.startswith(f"{ADDON_BUILDERS}/")
    if not (defaults or addons or _CALL.search(text)):
        return
    key = ""
    for line in lines_of(text):
        if addons and (match := _ADDON_KEY.search(line.text)):
            key = match[1]
        if addons and _ADDON.search(line.text):
            yield Finding(path, line.number, f"adds {key}", line.stack)
        values = _values(line.text) if defaults else ()
        if values or _CALL.search(line.text):
            yield Finding(path, line.number, line.text, line.stack, pieces(values, own_version))


def _values(text: str) -> tuple[str, ...]:
    if _IMPORT.match(text) or _TOLD.search(text):
        return ()
    constants = (quoted or image for quoted, image in _STRING.findall(text))
    return tuple(c for c in constants if _VALUE.search(c) and not _ADDRESS.search(c))


def find_function(tree: Path, path: str, name: str, own_version: str) -> Finding | None:
    """Return a function as one finding, around which is all of its code; None if it is gone."""
    file = tree / path
    lines = list(lines_of(file.read_text())) if file.is_file() else []
    body = [line for line in lines if line.stack[:1] == (f"func {name}",)]
    code = squeezed(" ".join(line.text for line in body))
    if not body:
        return None
    values = pieces((value for line in body for value in _values(line.text)), own_version)
    return Finding(f"{path} ({name})", body[0].number, f"func {name}", (code,), values)


def lines_of(text: str) -> Iterator[Line]:
    """Yield the lines of a file that are neither empty nor a comment."""
    blocks = _Blocks()
    raw = False
    for number, full in enumerate(text.splitlines(), 1):
        line = _COMMENT.sub("", full).rstrip()
        if not line:
            continue
        shown = squeezed(line).replace("fi.PtrTo(", "new(")
        if not raw:
            blocks.close(line, shown)
        yield Line(number, shown, blocks.headers)
        if not raw:
            blocks.open(line, shown)
        raw ^= line.count("`") % 2 == 1


class _Blocks:
    """The headers of the blocks that are open, with their indentation."""

    def __init__(self) -> None:
        self._open: list[tuple[float, str]] = []
        self._begun = ""
        self._indent = 0.0
        self._closed = ""

    @property
    def headers(self) -> tuple[str, ...]:
        return tuple(header for _, header in self._open)

    def close(self, line: str, shown: str) -> None:
        """End the blocks that a line ends: those that are indented as it is, or more."""
        indent = _indent(line, shown)
        self._closed = ""
        while self._open and self._open[-1][0] >= indent:
            self._closed = self._open.pop()[1]

    def open(self, line: str, shown: str) -> None:
        """Begin a block with a line, or go on with a header that the line before began."""
        if not self._begun and _HEADER.match(shown):
            self._indent = _indent(line, shown)
            self._begun = shown
        elif self._begun:
            self._begun += f" {shown}"
        if self._begun.endswith(("{", ":")):
            self._open.append((self._indent, _header(self._begun, self._closed)))
            self._begun = ""


def _indent(line: str, shown: str) -> float:
    """Return how far a line is indented; a case, half a tab more than gofmt puts it."""
    label = _HEADER.match(shown) is not None and shown.endswith(":")
    return len(line) - len(line.lstrip("\t")) + 0.5 * label


def _header(text: str, closed: str) -> str:
    if match := _FUNCTION.match(text):
        return f"func {match[1]}"
    text = text.removesuffix("{").removeprefix("} ").strip()
    return f"not {closed}, {text}" if text.startswith("else") else text
