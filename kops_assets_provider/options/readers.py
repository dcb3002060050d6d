"""
Read the values of options.

A value comes from Python, from JSON, or from a template, which leaves text of any type. Every
reader takes the parameter's name for its error and raises InvalidInputError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.documents import load_json

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "none": False, "": False}
# What a template makes of None, as text and as JSON.
_NOTHING = (None, "", "None", "null")
_DAYS = 7.0


def as_text(name: str, value: object) -> str | None:
    """Return text, or None for what a template makes of None."""
    if value in (None, "", "None"):
        return None
    if not isinstance(value, str):
        raise _invalid(name, "expected text, in quotes")
    return value


def as_mapping(name: str, value: object) -> dict[str, str]:
    """Return a mapping of strings, also from its JSON text."""
    found = _from_json(name, value) or {}
    if not isinstance(found, Mapping) or not all(isinstance(x, str) for x in found.values()):
        raise _invalid(name, "expected a mapping of strings")
    return dict(found)


def as_settings(name: str, value: object) -> dict[str, Any] | None:
    """Return a mapping, also from its JSON text; None, unlike an empty one, means not given."""
    found = _from_json(name, value)
    if found is None or isinstance(found, Mapping):
        return None if found is None else dict(found)
    raise _invalid(name, "expected a mapping")


def as_names(name: str, value: object) -> tuple[str, ...]:
    """Return names, also from the JSON text of a list."""
    found = _from_json(name, value) or []
    if not isinstance(found, list | tuple) or not all(isinstance(x, str) for x in found):
        raise _invalid(name, "expected a list of names")
    return tuple(found)


def as_versions(name: str, value: object) -> tuple[str, ...]:
    """Return texts with one version or more, from a list, its JSON text, or one text."""
    is_json = isinstance(value, str) and value.lstrip().startswith(("[", '"'))
    found = _from_json(name, value) if is_json else value
    if found in _NOTHING:
        return ()
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list | tuple) or not all(isinstance(x, str) for x in texts):
        raise _invalid(name, "expected a version in quotes, or a list of them")
    return tuple(texts)


def as_shas(name: str, value: object) -> dict[str, str | None]:
    """Return URLs with their hashes, also from JSON text, or from a list of URLs without."""
    found = _from_json(name, value) or {}
    if isinstance(found, list | tuple) and all(isinstance(x, str) for x in found):
        return dict.fromkeys(found)
    if not isinstance(found, Mapping) or not all(isinstance(x, str | None) for x in found.values()):
        raise _invalid(name, "expected URLs and their SHA-256 or null")
    return dict(found)


def as_flag(name: str, value: object) -> bool:
    """Return a boolean, also from its text."""
    text = str(value).strip().lower()
    if text not in _FLAGS:
        raise _invalid(name, "expected true or false")
    return _FLAGS[text]


def as_days(name: str, value: Any) -> float:
    """Return a number of days, also from its text; 7 if it is not given."""
    if value in _NOTHING:
        return _DAYS
    try:
        days = float(value)
    except (TypeError, ValueError):
        days = -1.0
    if not 0 <= days < math.inf:
        raise _invalid(name, "expected a number of days, 0 or more")
    return days


def as_choice(*choices: str) -> Callable[[str, object], str]:
    """Return a reader of one of some words; the first is the default."""

    def read(name: str, value: object) -> str:
        word = choices[0] if value in _NOTHING else str(value).strip().lower()
        if word not in choices:
            raise _invalid(name, f"expected {', '.join(choices)}, got {value!r}")
        return word

    return read


def as_required(name: str, value: object) -> str:
    """Return text; raises InvalidInputError if a template left nothing of it."""
    found = as_text(name, value)
    if found is None:
        raise _invalid(
            name, "it is not set: give it to the DAG, in its Variable or in the run's form"
        )
    return found


def as_cluster(name: str, value: object) -> str:
    """Return a cluster's name; raises InvalidInputError if it is not set, or cannot be one."""
    found = as_required(name, value)
    if not is_cluster_name(found):
        raise _invalid(name, f"{EXPECTED_NAME}, got {found!r}")
    return found


def _from_json(name: str, value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return None if value in _NOTHING else load_json(value)
    except ValueError as err:
        raise _invalid(name, f"not JSON: {err}") from err


def _invalid(name: str, problem: str) -> InvalidInputError:
    return InvalidInputError(f"parameter {name}", [problem])
