"""
YAML from other people: bounded, without duplicate keys, without surprises.

``yaml.safe_load`` keeps the last of two equal keys and lets a small text expand without limit
(aliases, merge keys). Both are settled on the node graph, before a single value is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

_MAX_CHARACTERS = 16 * 1024 * 1024
_MAX_NODES = 1_000_000
_MERGE = "tag:yaml.org,2002:merge"
# Go reads dates as text, and PyYAML has no constructor for "=".
_UNWANTED = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value"}
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlError(ValueError):
    """The text is no YAML that we accept; the message says why, and where."""


class _Loader(_Base):  # type: ignore[misc]  # the fast loader exists only where libyaml does
    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own attribute
        first: [pair for pair in pairs if pair[0] not in _UNWANTED]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load_documents(text: str) -> list[Any]:
    """
    Return the documents of a YAML text; empty ones are left out.

    :raises YamlError: no YAML, duplicate keys, or more than a million values once expanded
    """
    if len(text) > _MAX_CHARACTERS:
        raise YamlError(f"it is longer than {_MAX_CHARACTERS} characters")
    try:
        return [document for document in _documents(text) if document is not None]
    except yaml.YAMLError as err:
        raise YamlError(_first_problem(err)) from err
    except RecursionError:
        raise YamlError("it is nested too deeply") from None
    except YamlError:
        raise
    except ValueError as err:
        raise YamlError(f"it has a value that is none: {err}") from err


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
