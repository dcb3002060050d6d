"""
Reads a catalogue: closed keys, parsed conditions, and all problems at once.

The file has these keys, in this order:

``kops``           the release
``based_on``       the release that it differs from, if it does not state everything
``kubernetes``     ``oldest`` version and ``newest_minor`` that it supports
``architectures``  of the files
``facts``          named conditions; each may use those above it
``refusals``       clusters that kOps fails on: ``name``, ``when``, ``because``
``defaults``       fields that kOps fills in: ``name``, ``when``, ``set``, ``to``: a value, or a
                   list of values or ``value`` + ``when``; the first that holds wins
``images``         ``name``, ``when``, ``for_each``, ``images``: an image, or ``image`` + ``when``
``files``          ``name``, ``when``, ``files``: ``url`` (below ``base``), ``sha``, ``when``
``removed``        names of the base's entries that are gone, by section

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
from kops_assets_provider.kops.catalog.layers import Stated, TextOf, Whole, read_whole
from kops_assets_provider.kops.expression_parser import parse_condition
from kops_assets_provider.kops.expressions import (
    ALWAYS,
    Condition,
    Every,
    ExpressionError,
    Template,
    parse_template,
)
from kops_assets_provider.kops.semver import Version, parse_version
from kops_assets_provider.kops.spec_fields import CLUSTER_FIELDS, Kind

_T = TypeVar("_T")
_NOTHING = Template(())


def read_catalogue(release: str, text_of: TextOf) -> Release:
    """
    Read and check a release's catalogue.

    :param text_of: returns the text of a release's file, None if there is none
    :raises InvalidCatalogError: with every problem, each with its file and entry
    """
    whole = read_whole(release, text_of)
    if whole.problems:
        raise InvalidCatalogError("; ".join(whole.problems))
    reader = _Reader()
    found = reader.release(whole)
    if found.version != release:
        reader.problems.append(f"{release}.yaml: kops: it says {found.version}")
    if reader.problems:
        raise InvalidCatalogError("; ".join(reader.problems))
    return found


class _Reader:
    """Turns plain data into entries; a problem yields a stand-in, so that reading goes on."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._vocabulary = Vocabulary()

    def release(self, whole: Whole) -> Release:
        where = {key: f"{stated.file}: {key}" for key, stated in whole.head.items()}
        value = {key: stated.value for key, stated in whole.head.items()}
        place = where["kubernetes"]
        kubernetes = self._mapping(place, value["kubernetes"])
        self._keys(place, kubernetes, {"oldest", "newest_minor"}, optional=set())
        found = Release(
            version=self._text(where["kops"], value["kops"]),
            oldest_kubernetes=self._version(f"{place}.oldest", kubernetes.get("oldest")),
            newest_minor=self._number(f"{place}.newest_minor", kubernetes.get("newest_minor")),
            architectures=tuple(
                self._text(where["architectures"], arch)
                for arch in self._list(where["architectures"], value["architectures"])
            ),
            facts=self._facts(whole.sections["facts"]),
            refusals=tuple(self._entries(whole, "refusals", self._refusal)),
            defaults=tuple(
                default
                for entry in self._entries(whole, "defaults", self._defaults)
                for default in entry
            ),
            images=tuple(self._entries(whole, "images", self._image_entry)),
            files=tuple(self._entries(whole, "files", self._file_entry)),
        )
        for name in self._vocabulary.unused_facts():
            self.problems.append(f"{whole.sections['facts'][name].file}: facts.{name}: not used")
        return found

    def _facts(self, facts: Mapping[str, Stated]) -> dict[str, Condition]:
        conditions = {}
        for name, stated in facts.items():
            where = f"{stated.file}: facts.{name}"
            conditions[name] = self._condition(where, stated.value)
            self._report(where, self._vocabulary.add_fact(name, conditions[name]))
        return conditions

    def _entries(
        self, whole: Whole, section: str, read: Callable[[str, Mapping[str, Any]], _T]
    ) -> Iterator[_T]:
        for name, stated in whole.sections[section].items():
            where = f"{stated.file}: {section}.{name}"
            if not isinstance(stated.value.get("origin"), str):
                self.problems.append(f"{where}: it has no origin")
            yield read(where, stated.value)

    def _refusal(self, where: str, entry: Mapping[str, Any]) -> Refusal:
        self._keys(where, entry, {"name", "origin", "when", "because"}, optional=set())
        return Refusal(
            when=self._when(where, entry), because=self._template(where, entry, "because")
        )

    def _defaults(self, where: str, entry: Mapping[str, Any]) -> list[Default]:
        self._keys(where, entry, {"name", "origin", "set", "to"}, optional={"when"})
        path, when = str(entry.get("set")), self._when(where, entry)
        if CLUSTER_FIELDS.get(path) is not Kind.TEXT:
            self.problems.append(f"{where}: {path} is no text field of a spec")
        values = entry.get("to")
        return [
            Default(
                path=path,
                value=self._template(place, rule, "value"),
                when=Every((when, self._when(place, rule))),
            )
            for place, rule in self._rules(
                where, "to", values if isinstance(values, list) else [values], "value"
            )
        ]

    def _image_entry(self, where: str, entry: Mapping[str, Any]) -> ImageEntry:
        self._keys(where, entry, {"name", "origin", "images"}, optional={"when", "for_each"})
        loop = entry.get("for_each")
        if loop is not None and loop not in LOOP_FIELDS:
            self.problems.append(f"{where}: for_each {loop!r} is none of {sorted(LOOP_FIELDS)}")
            loop = None
        rules = [
            ImageRule(
                image=self._template(place, rule, "image", loop=loop),
                when=self._when(place, rule, loop=loop),
            )
            for place, rule in self._rules(where, "images", entry.get("images"), "image")
        ]
        return ImageEntry(when=self._when(where, entry), loop=loop, rules=tuple(rules))

    def _rules(
        self, where: str, key: str, items: object, short: str
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield rules, each with its place; a bare text stands for a rule that always holds."""
        for number, item in enumerate(self._list(f"{where}.{key}", items)):
            place = f"{where}.{key}[{number}]"
            rule = self._mapping(place, {short: item} if isinstance(item, str) else item)
            self._keys(place, rule, {short}, optional={"when"})
            yield place, rule

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
                    url=texts.get("url", _NOTHING),
                    base=texts.get("base"),
                    sha=texts.get("sha"),
                    when=self._when(place, rule, for_file=True),
                )
            )
        return FileEntry(when=self._when(where, entry, for_file=True), rules=tuple(rules))

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
        return version or Version(major=0)

    def _typed(self, where: str, value: object, kind: type[_T], stand_in: _T) -> _T:
        if isinstance(value, kind):
            return value
        self.problems.append(f"{where}: {value!r} where a {kind.__name__} should be")
        return stand_in

    def _report(self, where: str, problems: list[str] | Iterator[str]) -> None:
        self.problems += [f"{where}: {problem}" for problem in problems]
