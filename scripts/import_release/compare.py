"""Compares a catalogue with what a scan of kOps' tree found."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from import_release.evidence import Evidence
from import_release.findings import Finding, squeezed
from kops_assets_provider.kops.catalog.layers import LISTS, Whole

_PLACEHOLDER = re.compile(r"\{[\w.]+(?:\|([^{}]*))?\}")
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.-]*")
_GAP = "\0"
# What is said about an entry, and not by it.
_ABOUT = {"name", "origin", "because"}
# The path of what is found in a catalogue, and not in a tree.
CATALOGUE = "catalogue"
# They decide on what others say.
_TELL_NO_VALUES = ("facts.", "refusals.")


def differences(findings: Iterable[Finding], whole: Whole, evidence: Evidence) -> Iterator[str]:
    """Yield what the catalogue does not explain, and what it says without a line that does."""
    entries = dict(entries_of(whole))
    proofs: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        claims = evidence.entries(finding)
        yield from _problems(finding, claims, entries)
        for name in claims or ():
            proofs[name].append(finding)
    for name, entry in entries.items():
        yield from _unproven(name, entry, proofs[name])
        form = form_of(entry)
        if name not in (evidence.entries(form) or ()):
            yield f"{name}: this form of it [{form.key}] was not compared with kOps' lines yet"


def entries_of(whole: Whole) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the entries of a catalogue with their full names, as the evidence has them."""
    yield "kubernetes", {"when": whole.head["kubernetes"].value["oldest"]}
    for name, fact in whole.sections["facts"].items():
        yield f"facts.{name}", {"when": fact.value}
    for section in LISTS:
        for name, stated in whole.sections[section].items():
            yield f"{section}.{name}", stated.value


def form_of(entry: Mapping[str, Any]) -> Finding:
    """Return an entry as a finding in the catalogue: its values are masked, its conditions not."""
    values, conditions = _constants(entry, "values"), _constants(entry, "conditions")
    return Finding(CATALOGUE, 0, values, tuple(conditions.split(_GAP)))


def _problems(
    finding: Finding, claims: set[str] | None, entries: Mapping[str, dict[str, Any]]
) -> Iterator[str]:
    if claims is None:
        yield f"not explained: {finding}"
        return
    missing = sorted(claims - entries.keys())
    if missing:
        yield f"{', '.join(missing)}: not in the catalogue, and there is {finding}"
    elif claims and not all(name.startswith(_TELL_NO_VALUES) for name in claims):
        said = _GAP.join(_without_placeholders(entries[name]) for name in claims)
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
    for value in sorted(set(_VERSION.findall(_constants(entry, "values")))):
        if value not in shown:
            yield f"{name}: {value} is not in {', '.join(sorted({f.path for f in proofs}))}"


def _without_placeholders(entry: Mapping[str, Any]) -> str:
    """Return all that an entry says, with gaps for its placeholders."""
    text = _GAP.join([_constants(entry, "values"), _constants(entry, "conditions")])
    return _PLACEHOLDER.sub(lambda match: f"{_GAP}{match[1] or ''}{_GAP}", text)


def _constants(entry: Mapping[str, Any], what: Literal["values", "conditions"]) -> str:
    return _GAP.join(_strings(entry, wanted=what))


def _strings(value: object, wanted: str, kind: str = "values") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _ABOUT:
                yield from _strings(inner, wanted, "conditions" if key == "when" else kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, wanted, kind)
    elif isinstance(value, str) and kind == wanted:
        yield squeezed(value)
