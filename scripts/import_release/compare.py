"""Compares a catalogue with what a scan of kOps' tree found."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from import_release.evidence import Evidence
from import_release.findings import Finding
from kops_assets_provider.kops.catalog.layers import LISTS, Whole

_PLACEHOLDER = re.compile(r"\{[\w.]+(?:\|([^{}]*))?\}")
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.-]*")
_GAP = "\0"


def differences(findings: Iterable[Finding], whole: Whole, evidence: Evidence) -> Iterator[str]:
    """Yield what the catalogue does not explain, and what it says without a line that does."""
    entries = dict(_entries(whole))
    proofs: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        claims = evidence.entries(finding)
        yield from _problems(finding, claims, entries)
        for name in claims or ():
            proofs[name].append(finding)
    for name, entry in entries.items():
        yield from _unproven(name, entry, proofs[name])


def _entries(whole: Whole) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "kubernetes", {"when": whole.head["kubernetes"].value["oldest"]}
    for name, fact in whole.sections["facts"].items():
        yield f"facts.{name}", {"when": fact.value}
    for section in LISTS:
        for name, stated in whole.sections[section].items():
            yield f"{section}.{name}", stated.value


def _problems(
    finding: Finding, claims: set[str] | None, entries: Mapping[str, dict[str, Any]]
) -> Iterator[str]:
    if claims is None:
        yield f"not explained: {finding}"
        return
    missing = sorted(claims - entries.keys())
    if missing:
        yield f"{', '.join(missing)}: not in the catalogue, and there is {finding}"
    elif claims and not finding.is_function:
        said = _GAP.join(_text(entries[name]) for name in claims)
        unsaid = [value for value in finding.values if value.strip(" /:-") not in said]
        if unsaid:
            yield f"{', '.join(sorted(claims))}: says nothing of {unsaid[0]!r}: {finding}"


def _unproven(name: str, entry: Mapping[str, Any], proofs: list[Finding]) -> Iterator[str]:
    if name.startswith("facts.") or name == "kubernetes":
        return
    if not proofs:
        yield f"{name}: there is no line that says so any more"
        return
    origin = str(entry.get("origin"))
    if not any(origin in {finding.path, finding.file} for finding in proofs):
        yield f"{name}: there is nothing in {origin}"
    shown = _GAP.join(value for finding in proofs for value in finding.values)
    for value in sorted(set(_VERSION.findall(_constants(entry, conditions=False)))):
        if value not in shown:
            yield f"{name}: {value} is not in {', '.join(sorted({f.path for f in proofs}))}"


def _text(entry: Mapping[str, Any]) -> str:
    return _constants(entry, conditions=True)


def _constants(entry: Mapping[str, Any], *, conditions: bool) -> str:
    """Return all that an entry says, with gaps for its placeholders."""
    left_out = {"name", "origin", "because", "set"} | (set() if conditions else {"when"})
    texts = _strings({key: value for key, value in entry.items() if key not in left_out}, left_out)
    return _GAP.join(
        _PLACEHOLDER.sub(lambda match: f"{_GAP}{match[1] or ''}{_GAP}", text) for text in texts
    )


def _strings(value: object, left_out: set[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in left_out:
                yield from _strings(inner, left_out)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, left_out)
    elif isinstance(value, str):
        yield value
