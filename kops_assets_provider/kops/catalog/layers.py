"""
Puts a catalogue together from its own file and the files that it is based on.

A file either states everything (see :mod:`reader` for the keys), or names another release in
``based_on`` and states only what differs: an entry replaces the base's of the same name or joins
them, and ``removed`` names, by section, those that are gone. Every entry keeps the name of the
file that states it, so that a problem can be pointed at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from kops_assets_provider.kops.documents import YamlError, load_documents

_T = TypeVar("_T")
TextOf: TypeAlias = Callable[[str], str | None]

LISTS = ("refusals", "defaults", "images", "files")
SECTIONS = ("facts", *LISTS)
_HEAD = ("kops", "kubernetes", "architectures")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """Something that a catalogue says, and the file that says it."""

    file: str
    value: Any


@dataclass(slots=True, kw_only=True)
class Whole:
    """A catalogue with nothing left out: its head, and each section's entries by name."""

    head: dict[str, Stated] = field(default_factory=dict)
    sections: dict[str, dict[str, Stated]] = field(
        default_factory=lambda: {section: {} for section in SECTIONS}
    )
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the catalogue as one file that states everything would have it."""
        head = {key: self.head[key].value for key in _HEAD if key in self.head}
        facts = {name: fact.value for name, fact in self.sections["facts"].items()}
        lists = {key: [e.value for e in self.sections[key].values()] for key in LISTS}
        return {**head, "facts": facts, **lists}


def read_whole(release: str, text_of: TextOf) -> Whole:
    """
    Read a release's file and all that it is based on; problems are in the result.

    :param text_of: returns the text of a release's file, None if there is none
    """
    whole = Whole()
    layers: list[tuple[str, Mapping[str, Any]]] = []
    wanted: object = release
    while wanted is not None:
        layer = _layer(wanted, [file for file, _ in layers], text_of, whole.problems)
        if layer is None:
            break
        layers.append(layer)
        wanted = layer[1].get("based_on")
    for file, data in reversed(layers):
        _lay(whole, file, data)
    return whole


def _layer(
    release: object, above: list[str], text_of: TextOf, problems: list[str]
) -> tuple[str, Mapping[str, Any]] | None:
    file = f"{release}.yaml"
    where = f"{above[-1]}: based_on" if above else file
    text = text_of(release) if isinstance(release, str) else None
    if text is None:
        problems.append(f"{where}: there is no catalogue for {release!r}")
    elif file in above:
        problems.append(f"{where}: {release} is based on itself")
    else:
        return _read(file, text, problems)
    return None


def _read(file: str, text: str, problems: list[str]) -> tuple[str, Mapping[str, Any]] | None:
    try:
        documents = load_documents(text)
    except YamlError as err:
        problems.append(f"{file}: {err}")
        return None
    if len(documents) != 1 or not isinstance(documents[0], dict):
        problems.append(f"{file}: it is not one mapping")
        return None
    data = documents[0]
    known = {*_HEAD, *SECTIONS, "based_on", "removed"}
    required = {"kops", "based_on"} if "based_on" in data else {*_HEAD, *SECTIONS}
    problems += [f"{file}: catalogue: unknown key {key!r}" for key in data if key not in known]
    problems += [f"{file}: catalogue: {key} is missing" for key in sorted(required - data.keys())]
    return file, data


def _lay(whole: Whole, file: str, data: Mapping[str, Any]) -> None:
    whole.head |= {key: Stated(file=file, value=data[key]) for key in _HEAD if key in data}
    removed = _typed(whole, f"{file}: removed", data.get("removed", {}), dict)
    for section in removed.keys() - set(SECTIONS):
        whole.problems.append(f"{file}: removed.{section}: it is none of {', '.join(SECTIONS)}")
    for section in SECTIONS:
        base = whole.sections[section]
        for name in _typed(whole, f"{file}: removed.{section}", removed.get(section, []), list):
            if base.pop(name, None) is None:
                whole.problems.append(f"{file}: removed.{section}: the base has no {name}")
        for name, value in _entries(whole, file, section, data.get(section)).items():
            if name in base and base[name].value == value:
                whole.problems.append(f"{file}: {section}.{name}: {base[name].file} says the same")
            base[name] = Stated(file=file, value=value)


def _entries(whole: Whole, file: str, section: str, value: object) -> dict[str, Any]:
    if section == "facts":
        return _typed(whole, f"{file}: facts", {} if value is None else value, dict)
    entries: dict[str, Any] = {}
    items = _typed(whole, f"{file}: {section}", [] if value is None else value, list)
    for number, item in enumerate(items):
        entry = _typed(whole, f"{file}: {section}[{number}]", item, dict)
        name = str(entry.get("name", number))
        if name in entries:
            whole.problems.append(f"{file}: {section}.{name}: the name occurs twice")
        entries[name] = entry
    return entries


def _typed(whole: Whole, where: str, value: object, kind: type[_T]) -> _T:
    if isinstance(value, kind):
        return value
    whole.problems.append(f"{where}: {value!r} where a {kind.__name__} should be")
    return kind()
