"""
The small closed language of the catalogues: conditions and templates.

::

    condition := clause { "or" clause }
    clause    := test { "and" test }
    test      := "not" test | "(" condition ")"
               | "any_instance_group" "(" condition ")" | "any_etcd_cluster" "(" condition ")"
               | "replaced" "(" text ")"
               | name [ "is" ( "set" | "unset" ) | operator literal ]
    operator  := "==" | "!=" | "<" | "<=" | ">" | ">="
    literal   := text | number | version | "true" | "false"

A *name* is a fact (``k8s``, ``cloud``, one of the catalogue's own) or the path of a spec field
(``networking.cilium.hubble.enabled``); inside ``any_...()`` the path starts at each instance
group or etcd cluster. A field that is not set is false, differs from everything, and is neither
above nor below any version. ``x is set`` means that there is a block (``cilium: {}``) or a text
that is not empty. ``replaced("key")`` asks for an additional object labelled as the replacement
of that built-in addon. Versions compare by semver; ``k8s`` has no pre-release part.

A *template* is text with placeholders: ``{name}``, or ``{name|text}`` where the text stands in
for a field that is not set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from kops_assets_provider.kops.semver import Version, parse_version

Literal: TypeAlias = str | int | bool | Version
Condition: TypeAlias = "Name | Presence | Comparison | Not | Every | Either | Some | Replaced"


class Scope(Protocol):
    """What a condition is asked about."""

    def value(self, name: str) -> Any:
        """Return what a name stands for; None if it is not set."""

    def items(self, loop: str) -> Sequence[Scope]:
        """Return a scope for each instance group or etcd cluster."""

    def replaced(self, addon: str) -> bool:
        """Tell whether an additional object replaces the built-in addon."""


@dataclass(frozen=True, slots=True)
class Name:
    """A flag."""

    name: str


@dataclass(frozen=True, slots=True)
class Presence:
    """``name is set`` or ``name is unset``."""

    name: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """``name operator literal``."""

    name: str
    operator: str
    literal: Literal


@dataclass(frozen=True, slots=True)
class Not:
    """``not condition``."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """``a and b and ...``; the empty one holds."""

    inner: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """``a or b or ...``."""

    inner: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """``any_instance_group(...)`` or ``any_etcd_cluster(...)``."""

    loop: str
    inner: Condition


@dataclass(frozen=True, slots=True)
class Replaced:
    """``replaced("addon")``."""

    addon: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``{name}`` or ``{name|default}``."""

    name: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """Text and placeholders in their order."""

    parts: tuple[str | Placeholder, ...]


ALWAYS = Every()
LOOPS = {"any_instance_group": "instance_groups", "any_etcd_cluster": "etcd_clusters"}


class ExpressionError(ValueError):
    """A condition or template that does not parse, or a placeholder without a value."""


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a is not None and bool(a == b),
    "!=": lambda a, b: a is None or bool(a != b),
    "<": lambda a, b: a is not None and bool(a < b),
    "<=": lambda a, b: a is not None and bool(a <= b),
    ">": lambda a, b: a is not None and bool(a > b),
    ">=": lambda a, b: a is not None and bool(a >= b),
}


def holds(condition: Condition, scope: Scope) -> bool:
    """Tell whether a condition holds in a scope."""
    match condition:
        case Name(name):
            return scope.value(name) is True
        case Presence(name, wanted):
            return (scope.value(name) not in (None, "")) is wanted
        case Comparison(name, operator, literal):
            return _compare(scope.value(name), operator, literal)
        case Not(inner):
            return not holds(inner, scope)
        case Every(parts):
            return all(holds(part, scope) for part in parts)
        case Either(parts):
            return any(holds(part, scope) for part in parts)
        case Some(loop, inner):
            return any(holds(inner, item) for item in scope.items(loop))
        case Replaced(addon):
            return scope.replaced(addon)


def _compare(value: Any, operator: str, literal: Literal) -> bool:
    if isinstance(literal, Version) and isinstance(value, str):
        value = parse_version(value)
    return _COMPARE[operator](value, literal)


def expand(template: Template, scope: Scope) -> str:
    """
    Fill a template in.

    :raises ExpressionError: a placeholder without default names a field that is not set
    """
    return "".join(
        part if isinstance(part, str) else _filled(part, scope) for part in template.parts
    )


def _filled(placeholder: Placeholder, scope: Scope) -> str:
    value = scope.value(placeholder.name)
    if value not in (None, ""):
        return str(value)
    if placeholder.default is None:
        raise ExpressionError(f"spec.{placeholder.name} is not set")
    return placeholder.default


_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)(?:\|([^{}]*))?\}")


def parse_template(text: str) -> Template:
    """
    Parse a template.

    :raises ExpressionError: a brace that belongs to no placeholder
    """
    parts: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[end : match.start()], Placeholder(match[1], match[2])]
        end = match.end()
    parts.append(text[end:])
    if any(set(part) & set("{}") for part in parts if isinstance(part, str)):
        raise ExpressionError(f"{text!r} has a brace that is no placeholder")
    return Template(tuple(part for part in parts if part != ""))
