"""Checks that a catalogue speaks only of what exists, and compares only what can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from kops_assets_provider.kops.expressions import (
    Comparison,
    Condition,
    Either,
    Every,
    Literal,
    Name,
    Not,
    Placeholder,
    Presence,
    Replaced,
    Some,
    Template,
)
from kops_assets_provider.kops.semver import Version
from kops_assets_provider.kops.spec_fields import (
    CLUSTER_FIELDS,
    ETCD_CLUSTER_FIELDS,
    INSTANCE_GROUP_FIELDS,
    Fields,
    Kind,
)

BUILTINS: Fields = MappingProxyType(
    {
        "cloud": Kind.TEXT,
        "k8s": Kind.VERSION,
        "k8s_major": Kind.NUMBER,
        "k8s_minor": Kind.NUMBER,
        "k8s_from_url": Kind.FLAG,
        "kops": Kind.TEXT,
        "kops_tag": Kind.TEXT,
    }
)
# The only fact that a file has and an image has not.
ARCHITECTURE: Fields = MappingProxyType({"arch": Kind.TEXT})
LOOP_FIELDS: Mapping[str, Fields] = MappingProxyType(
    {
        "additional_images": {"image": Kind.TEXT},
        "etcd_clusters": ETCD_CLUSTER_FIELDS,
        "instance_groups": INSTANCE_GROUP_FIELDS,
    }
)
_LITERALS: Mapping[type, set[Kind]] = {
    str: {Kind.TEXT},
    int: {Kind.NUMBER},
    bool: {Kind.FLAG},
    Version: {Kind.VERSION, Kind.TEXT},
}
_ORDERED = {Kind.NUMBER, Kind.VERSION}


class Vocabulary:
    """The names that may be used, with their kinds: for the cluster, a file, or a loop's item."""

    def __init__(self) -> None:
        self._facts: dict[str, Kind] = {}
        self._file_facts: dict[str, Kind] = dict(ARCHITECTURE)
        self._used: set[str] = set()

    def add_fact(self, name: str, condition: Condition) -> Iterator[str]:
        """Add a fact, which later ones may use, and yield what is wrong with it."""
        yield from self.check(condition, for_file=True)
        if name in {*BUILTINS, *CLUSTER_FIELDS, *self._file_facts, *self._facts}:
            yield f"{name} means something already"
        per_file = any(used in self._file_facts for used in _names(condition))
        (self._file_facts if per_file else self._facts)[name] = Kind.FLAG

    def unused_facts(self) -> list[str]:
        """Return the facts that nothing spoke of so far."""
        own = self._facts.keys() | self._file_facts.keys() - ARCHITECTURE.keys()
        return sorted(own - self._used)

    def check(
        self, what: Condition | Template, *, loop: str | None = None, for_file: bool = False
    ) -> Iterator[str]:
        """Yield what is wrong with a condition or template in that place."""
        names = {**BUILTINS, **self._facts, **(self._file_facts if for_file else {})}
        names |= LOOP_FIELDS[loop] if loop else CLUSTER_FIELDS
        if isinstance(what, Template):
            yield from _template_problems(what, names)
        else:
            self._used.update(_names(what))
            yield from self._condition_problems(what, names)

    def _condition_problems(self, condition: Condition, names: Fields) -> Iterator[str]:
        match condition:
            case Name(name):
                yield from _expect(name, names, {Kind.FLAG})
            case Presence(name):
                yield from _expect(name, names, set(Kind) - {Kind.VERSION})
            case Comparison(name, operator, literal):
                yield from _comparison_problems(name, operator, literal, names)
            case Not(inner):
                yield from self._condition_problems(inner, names)
            case Every(parts) | Either(parts):
                for part in parts:
                    yield from self._condition_problems(part, names)
            case Some(loop, inner):
                yield from self.check(inner, loop=loop)
            case Replaced():
                return


def _expect(name: str, names: Fields, kinds: set[Kind]) -> Iterator[str]:
    kind = names.get(name)
    if kind is None:
        yield f"{name} is not known here"
    elif kind not in kinds:
        yield f"{name} is {kind.value}, which does not fit"


def _comparison_problems(
    name: str, operator: str, literal: Literal, names: Fields
) -> Iterator[str]:
    yield from _expect(name, names, _LITERALS[type(literal)])
    kind = Kind.VERSION if isinstance(literal, Version) else names.get(name)
    if operator not in {"==", "!="} and kind is not None and kind not in _ORDERED:
        yield f"{name} {operator} ...: only numbers and versions have an order"


def _template_problems(template: Template, names: Fields) -> Iterator[str]:
    for part in template.parts:
        if isinstance(part, Placeholder):
            yield from _expect(part.name, names, {Kind.TEXT, Kind.NUMBER, Kind.VERSION})


def _names(condition: Condition) -> Iterator[str]:
    match condition:
        case Name(name) | Presence(name) | Comparison(name):
            yield name
        case Not(inner) | Some(_, inner):
            yield from _names(inner)
        case Every(parts) | Either(parts):
            for part in parts:
                yield from _names(part)
        case Replaced():
            return
