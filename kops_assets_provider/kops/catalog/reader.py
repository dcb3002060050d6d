"""
Reads a catalogue's YAML: closed keys, parsed conditions, and all problems at once.

The file has these keys, in this order:

``kops``           the release
``kubernetes``     ``oldest`` version and ``newest_minor`` that it supports
``architectures``  of the files
``facts``          named conditions; each may use those above it
``refusals``       clusters that kOps fails on: ``name``, ``when``, ``because``
``defaults``       fields that kOps fills in: ``set``, ``to``, ``when``; the first that holds wins
``images``         ``name``, ``when``, ``for_each``, ``images``: an image, or ``image`` + ``when``
``files``          ``name``, ``when``, ``files``: ``url`` (below ``base``), ``sha``, ``when``

Every entry names its ``origin``, the file in kOps' tree that it was read from. The language of
``when`` and of the texts is that of :mod:`kops_assets_provider.kops.expressions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from kops_assets_provider.exceptions import InvalidCatalogError
from kops_assets_provider.kops.catalog.checks import LOOP_FIELDS, Vocabulary
from kops_assets_provider.kops.catalog.entries import (
    Default,
    FileEntry,
    FileRule,
    ImageEntry,
    ImageRule,
    Refusal,
    Release,
)
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.kops.expressions import (
    ALWAYS,
    Condition,
    ExpressionError,
    Template,
    parse_template,
)
from kops_assets_provider.kops.fields import CLUSTER_FIELDS, Kind
from kops_assets_provider.kops.parser import parse_condition
from kops_assets_provider.kops.semver import Version, parse_version

_T = TypeVar("_T")
_KEYS = {
    "kops", "kubernetes", "architectures", "facts", "refusals", "defaults", "images", "files",
}  # fmt: skip
_NOTHING = Template(())


def read_catalogue(text: str, where: str) -> Release:
    """
    Read and check a catalogue.

    :param where: the file's name, for messages
    :raises InvalidCatalogError: with every problem, each with its entry
    """
    try:
        documents = load_documents(text)
    except YamlError as err:
        raise InvalidCatalogError(f"{where}: {err}") from err
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InvalidCatalogError(f"{where}: it is not one mapping")
    reader = _Reader()
    release = reader.release(documents[0])
    if reader.problems:
        raise InvalidCatalogError(f"{where}: " + "; ".join(reader.problems))
    return release


class _Reader:
    """Turns plain data into entries; a problem yields a stand-in, so that reading goes on."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._vocabulary = Vocabulary()

    def release(self, data: Mapping[str, Any]) -> Release:
        self._keys("catalogue", data, _KEYS, optional=set())
        kubernetes = self._mapping("kubernetes", data.get("kubernetes"))
        self._keys("kubernetes", kubernetes, {"oldest", "newest_minor"}, optional=set())
        facts = self._facts(data.get("facts"))
        return Release(
            version=self._text("kops", data.get("kops")),
            oldest_kubernetes=self._version("kubernetes.oldest", kubernetes.get("oldest")),
            newest_minor=self._number("kubernetes.newest_minor", kubernetes.get("newest_minor")),
            architectures=tuple(
                self._text("architectures", arch)
                for arch in self._list("architectures", data.get("architectures"))
            ),
            facts=facts,
            refusals=tuple(self._entries(data, "refusals", self._refusal)),
            defaults=tuple(self._entries(data, "defaults", self._default)),
            images=tuple(self._entries(data, "images", self._image_entry)),
            files=tuple(self._entries(data, "files", self._file_entry)),
        )

    def _facts(self, data: object) -> dict[str, Condition]:
        facts = {}
        for name, text in self._mapping("facts", data).items():
            condition = self._condition(f"facts.{name}", text)
            self._report(f"facts.{name}", self._vocabulary.add_fact(name, condition))
            facts[name] = condition
        return facts

    def _entries(
        self, data: Mapping[str, Any], key: str, read: Callable[[str, Mapping[str, Any]], _T]
    ) -> Iterator[_T]:
        names: set[str] = set()
        for number, item in enumerate(self._list(key, data.get(key))):
            entry = self._mapping(f"{key}[{number}]", item)
            name = str(entry.get("name") or entry.get("set") or number)
            where = f"{key}.{name}"
            if not isinstance(entry.get("origin"), str):
                self.problems.append(f"{where}: it has no origin")
            if "name" in entry and name in names:
                self.problems.append(f"{where}: the name occurs twice")
            names.add(name)
            yield read(where, entry)

    def _refusal(self, where: str, entry: Mapping[str, Any]) -> Refusal:
        self._keys(where, entry, {"name", "origin", "when", "because"}, optional=set())
        return Refusal(self._when(where, entry), self._template(where, entry, "because"))

    def _default(self, where: str, entry: Mapping[str, Any]) -> Default:
        self._keys(where, entry, {"set", "origin", "to"}, optional={"when"})
        path = str(entry.get("set"))
        if CLUSTER_FIELDS.get(path) is not Kind.TEXT:
            self.problems.append(f"{where}: {path} is no text field of a spec")
        return Default(path, self._template(where, entry, "to"), self._when(where, entry))

    def _image_entry(self, where: str, entry: Mapping[str, Any]) -> ImageEntry:
        self._keys(where, entry, {"name", "origin", "images"}, optional={"when", "for_each"})
        loop = entry.get("for_each")
        if loop is not None and loop not in LOOP_FIELDS:
            self.problems.append(f"{where}: for_each {loop!r} is none of {sorted(LOOP_FIELDS)}")
            loop = None
        rules = []
        for number, item in enumerate(self._list(where, entry.get("images"))):
            place = f"{where}.images[{number}]"
            rule = self._mapping(place, {"image": item} if isinstance(item, str) else item)
            self._keys(place, rule, {"image"}, optional={"when"})
            image = self._template(place, rule, "image", loop=loop)
            rules.append(ImageRule(image, self._when(place, rule, loop=loop)))
        return ImageEntry(self._when(where, entry), loop, tuple(rules))

    def _file_entry(self, where: str, entry: Mapping[str, Any]) -> FileEntry:
        self._keys(where, entry, {"name", "origin", "files"}, optional={"when"})
        rules = []
        for number, item in enumerate(self._list(where, entry.get("files"))):
            place = f"{where}.files[{number}]"
            rule = self._mapping(place, item)
            self._keys(place, rule, {"url"}, optional={"base", "sha", "when"})
            texts = {
                key: self._template(place, rule, key, for_file=True)
                for key in ("url", "base", "sha")
                if key in rule
            }
            rules.append(
                FileRule(
                    texts.get("url", _NOTHING),
                    texts.get("base"),
                    texts.get("sha"),
                    self._when(place, rule, for_file=True),
                )
            )
        return FileEntry(self._when(where, entry, for_file=True), tuple(rules))

    def _when(
        self,
        where: str,
        entry: Mapping[str, Any],
        *,
        loop: str | None = None,
        for_file: bool = False,
    ) -> Condition:
        if "when" not in entry:
            return ALWAYS
        condition = self._condition(f"{where}.when", entry["when"])
        found = self._vocabulary.check(condition, loop=loop, for_file=for_file)
        self._report(f"{where}.when", found)
        return condition

    def _condition(self, where: str, text: object) -> Condition:
        try:
            return parse_condition(self._text(where, text))
        except ExpressionError as err:
            self.problems.append(f"{where}: {err}")
            return ALWAYS

    def _template(
        self,
        where: str,
        entry: Mapping[str, Any],
        key: str,
        *,
        loop: str | None = None,
        for_file: bool = False,
    ) -> Template:
        try:
            template = parse_template(self._text(f"{where}.{key}", entry.get(key)))
        except ExpressionError as err:
            self.problems.append(f"{where}.{key}: {err}")
            return _NOTHING
        found = self._vocabulary.check(template, loop=loop, for_file=for_file)
        self._report(f"{where}.{key}", found)
        return template

    def _keys(
        self, where: str, entry: Mapping[str, Any], required: set[str], optional: set[str]
    ) -> None:
        missing = [f"{key} is missing" for key in sorted(required - entry.keys())]
        unknown = [f"unknown key {key!r}" for key in entry if key not in required | optional]
        self._report(where, missing + unknown)

    def _text(self, where: str, value: object) -> str:
        return self._typed(where, value, str, "x")

    def _number(self, where: str, value: object) -> int:
        return self._typed(where, value, int, 0)

    def _list(self, where: str, value: object) -> list[Any]:
        return self._typed(where, value, list, [])

    def _mapping(self, where: str, value: object) -> dict[str, Any]:
        return self._typed(where, value, dict, {})

    def _version(self, where: str, value: object) -> Version:
        version = parse_version(self._text(where, value))
        if version is None:
            self.problems.append(f"{where}: {value!r} is no version")
        return version or Version(0)

    def _typed(self, where: str, value: object, kind: type[_T], stand_in: _T) -> _T:
        if isinstance(value, kind):
            return value
        self.problems.append(f"{where}: {value!r} where a {kind.__name__} should be")
        return stand_in

    def _report(self, where: str, problems: list[str] | Iterator[str]) -> None:
        self.problems += [f"{where}: {problem}" for problem in problems]
