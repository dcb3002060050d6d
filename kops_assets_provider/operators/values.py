"""Values of template fields: rendered ones are text, whatever they were meant to be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.documents import load_json

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "none": False, "": False}


def as_mapping(name: str, value: Mapping[str, str] | str | None) -> dict[str, str]:
    """Return a mapping of strings, also from its JSON text; raises InvalidInputError."""
    found: Any = value or {}
    if isinstance(found, str):
        try:
            found = load_json(found) or {}
        except ValueError as err:
            raise InvalidInputError(f"parameter {name}", [f"not JSON: {err}"]) from err
    if not isinstance(found, Mapping) or not all(isinstance(x, str) for x in found.values()):
        raise InvalidInputError(f"parameter {name}", ["expected a mapping of strings"])
    return dict(found)


def as_optional_mapping(name: str, value: Mapping[str, Any] | str | None) -> dict[str, Any] | None:
    """Return a mapping, also from its JSON text; None, unlike an empty one, means not given."""
    found = _from_text(name, value)
    if found is None or isinstance(found, Mapping):
        return None if found is None else dict(found)
    raise InvalidInputError(f"parameter {name}", ["expected a mapping"])


def as_names(name: str, value: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return names, also from JSON text of a list; raises InvalidInputError."""
    found = _from_text(name, value) or []
    if not isinstance(found, list | tuple) or not all(isinstance(x, str) for x in found):
        raise InvalidInputError(f"parameter {name}", ["expected a list of names"])
    return tuple(found)


def as_versions(name: str, value: Sequence[str] | str | None) -> tuple[str, ...]:
    """Return versions from a list, its JSON text, or text with commas; raises InvalidInputError."""
    is_json = isinstance(value, str) and value.lstrip().startswith(("[", '"'))
    found = _from_text(name, value) if is_json else value
    # What templates make of None, as text and as JSON.
    if found in (None, "None", "null"):
        return ()
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list | tuple) or not all(isinstance(x, str) for x in texts):
        problem = "expected a version in quotes, or a list of them"
        raise InvalidInputError(f"parameter {name}", [problem])
    # Here, and not above: copies need none of what it brings.
    from kops_assets_provider.mirror.lists.request import split_versions

    return split_versions(texts)


def as_shas(
    name: str, value: Mapping[str, str | None] | Sequence[str] | str | None
) -> dict[str, str | None]:
    """Return URLs with their hashes, also from JSON text, or from a list of URLs without."""
    found = _from_text(name, value) or {}
    if isinstance(found, list | tuple) and all(isinstance(x, str) for x in found):
        return dict.fromkeys(found)
    if not isinstance(found, Mapping) or not all(isinstance(x, str | None) for x in found.values()):
        problem = "expected URLs and their SHA-256 or null"
        raise InvalidInputError(f"parameter {name}", [problem])
    return dict(found)


def _from_text(name: str, value: object) -> Any:
    if value == "None" or not isinstance(value, str) or not value:
        return None if isinstance(value, str) else value
    try:
        return load_json(value)
    except ValueError as err:
        raise InvalidInputError(f"parameter {name}", [f"not JSON: {err}"]) from err


def as_flag(name: str, value: bool | str | None) -> bool:
    """Return a boolean, also from its text; raises InvalidInputError."""
    text = str(value).strip().lower()
    if text not in _FLAGS:
        raise InvalidInputError(f"parameter {name}", ["expected true or false"])
    return _FLAGS[text]


def as_days(name: str, value: float | str | None, default: float = 7.0) -> float:
    """Return a number of days, also from its text; raises InvalidInputError."""
    if value in (None, "", "None"):
        return default
    try:
        days = float(value or 0)
    except ValueError:
        days = -1.0
    if not 0 <= days < math.inf:
        raise InvalidInputError(f"parameter {name}", ["expected days"])
    return days


def as_optional(value: str | None) -> str | None:
    """Return None for what a template makes of None."""
    return None if value in (None, "", "None") else value


def as_required(name: str, value: str | None) -> str:
    """Return the value; raises InvalidInputError if a template left nothing of it."""
    found = as_optional(value)
    if found is None:
        problem = "it is not set: give it to the DAG, in its Variable or in the run's form"
        raise InvalidInputError(f"parameter {name}", [problem])
    return found


def as_cluster(name: str, value: str | None) -> str:
    """Return a cluster's name; raises InvalidInputError if it is not set, or cannot be one."""
    found = as_required(name, value)
    if not is_cluster_name(found):
        raise InvalidInputError(f"parameter {name}", [f"{EXPECTED_NAME}, got {found!r}"])
    return found
