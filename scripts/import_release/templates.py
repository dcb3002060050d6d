"""Finds the images in kOps' addon manifests, each with the template blocks around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from import_release.findings import Finding, pieces, squeezed

ADDONS = "upup/models/cloudup/resources/addons"
_IMAGE = re.compile(r"""^\s*(?:-\s+)?["']?image["']?:\s*(?P<value>[^\s#].*)$""")
_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_CONSTANT = re.compile(r'["`]([^"`]*)["`]')
_COMMENT = re.compile(r"\s#.*$")
_OPENS = ("if", "with", "range", "define", "block")


def scan_addons(tree: Path, own_version: str) -> Iterator[Finding]:
    """Yield a finding for every image in an addon's manifest or template."""
    root = tree / ADDONS
    for file in sorted(root.rglob("*")):
        if file.is_file():
            path = f"addons/{file.relative_to(root).as_posix()}"
            yield from _scan(path, file.read_text(), own_version)


def _scan(path: str, text: str, own_version: str) -> Iterator[Finding]:
    stack: list[str] = []
    lines = enumerate(text.splitlines(), 1)
    for number, first in lines:
        line = first
        # An action may go on in the next line.
        while line.count("{{") > line.count("}}"):
            line += " " + next(lines, (0, "}}"))[1]
        for action in _ACTION.findall(line):
            _follow(stack, squeezed(action))
        if match := _IMAGE.match(line):
            value = squeezed(_COMMENT.sub("", match["value"]))
            yield Finding(
                path,
                number,
                f"image: {value}",
                tuple(stack),
                pieces(_constants(value), own_version),
            )


def _follow(stack: list[str], action: str) -> None:
    word, _, rest = action.partition(" ")
    if word in _OPENS:
        stack.append(action)
    elif word == "else" and stack:
        stack[-1] = f"not {stack[-1]}" + (f", {rest}" if rest else "")
    elif word == "end" and stack:
        stack.pop()


def _constants(value: str) -> Iterator[str]:
    """Yield the parts of a templated value that are not computed, defaults among them."""
    for action in _ACTION.findall(value):
        yield from _CONSTANT.findall(action)
    yield from (part.strip("\"'") for part in _ACTION.split(value)[::2])
