"""
YAML from other people: bounded, without duplicate keys, without surprises.

``yaml.safe_load`` keeps the last of two equal keys and lets a small text expand without limit
(aliases, merge keys). Both are settled on the node graph, before a single value is built.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml

_MAX_CHARACTERS = 16 * 1024 * 1024
_MAX_NODES = 1_000_000
_MAX_DEPTH = 100
_SHOWN = 100  # characters of a name in a message
_PREFIX = "tag:yaml.org,2002:"
_MERGE = _PREFIX + "merge"
_TAGS = {_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}
# Go reads dates as text, and PyYAML has no constructor for "=".
_UNWANTED = {_PREFIX + "timestamp", _PREFIX + "value"}
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """The text is no YAML or JSON that we accept; the message says why, and where."""


class _Loader(_Base):  # type: ignore[misc]  # the fast loader exists only where libyaml does
    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own attribute
        first: [pair for pair in pairs if pair[0] not in _UNWANTED]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load_documents(text: str) -> list[Any]:
    """
    Return the documents of a YAML text; empty ones are left out.

    :raises YamlError: no YAML, duplicate keys, nested more than 100 deep, or more than a million
        values once expanded
    """
    if len(text) > _MAX_CHARACTERS:
        raise YamlError(f"it is longer than {_MAX_CHARACTERS} characters")
    try:
        _check_depth(text)
        return [document for document in _documents(text) if document is not None]
    except yaml.YAMLError as err:
        raise YamlError(_first_problem(err)) from err
    except YamlError:
        raise
    except (ValueError, KeyError) as err:
        # "!!int x", "!!bool x", and numbers that Python refuses for their length.
        raise YamlError("it has a value that does not fit its tag") from err


def load_json(text: str) -> Any:
    """
    Return the document of a JSON text, RFC 8259.

    :raises YamlError: no JSON, duplicate keys, nested more than 100 deep, more than a million
        values, or a number that is not finite
    """
    try:
        _check_number_of_values(text)
        document: Any = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite
        )
    except RecursionError:
        raise YamlError(f"it is nested more than {_MAX_DEPTH} deep") from None
    except YamlError:
        raise
    except ValueError as err:
        raise YamlError(f"it is not JSON: {err}") from err
    _check_json_depth(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise YamlError(f"the key {counts.most_common(1)[0][0][:_SHOWN]!r} occurs twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise YamlError("it has a number that is not finite")
    return number


def _check_number_of_values(text: str) -> None:
    # Ahead of the parser: a few bytes of text make values of a hundred.
    if sum(map(text.count, ",[{")) > _MAX_NODES:
        raise YamlError(f"it has more than {_MAX_NODES} values")


def _check_json_depth(document: object) -> None:
    level = [document]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise YamlError(f"it is nested more than {_MAX_DEPTH} deep")


def _check_depth(text: str) -> None:
    # First, and on the flat stream of events: libyaml's recursion ends the process, not the call.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise YamlError(f"it is nested more than {_MAX_DEPTH} deep")


def _documents(text: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _Measure().size(node)
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _first_problem(err: yaml.YAMLError) -> str:
    problem = getattr(err, "problem", None) or str(err).splitlines()[0]
    mark = getattr(err, "problem_mark", None)
    return f"it is not YAML: {problem}" + (f" (line {mark.line + 1})" if mark else "")


class _Measure:
    """Counts the values of a node graph as if every alias were written out."""

    def __init__(self) -> None:
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, node: yaml.Node) -> int:
        key = id(node)
        if node.tag not in _TAGS:
            raise YamlError(f"the tag {node.tag} is not known (line {node.start_mark.line + 1})")
        if key in self._open:
            raise YamlError(f"a value contains itself (line {node.start_mark.line + 1})")
        if key not in self._sizes:
            self._open.add(key)
            self._sizes[key] = 1 + sum(map(self.size, _children(node)))
            self._open.remove(key)
        if self._sizes[key] > _MAX_NODES:
            raise YamlError(f"it expands to more than {_MAX_NODES} values")
        return self._sizes[key]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        _refuse_duplicates(node)
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _refuse_duplicates(node: yaml.MappingNode) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
            continue
        if (key.tag, key.value) in seen:
            raise YamlError(f"the key {key.value!r} occurs twice (line {key.start_mark.line + 1})")
        seen.add((key.tag, key.value))
