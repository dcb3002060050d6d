"""
The schema number of values that tasks hand each other through XCom.

The workers and the API server of one Airflow may have several releases of this package for a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from kops_assets_provider.mirror.model.json_reader import Check, WrongValue, number, unexpected

T = TypeVar("T")

SCHEMA = 1  # goes up when a key changes its meaning or goes away, not when one is added
_KEY = "schema"
_NUMBER = number(least=1)


def with_schema(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain JSON values with their schema, which is the first key."""
    return {_KEY: SCHEMA, **values}


def check_schema(value: Any) -> None:
    """
    Check the schema of a mapping: it must have one, and none of a newer release.

    :raises WrongValue: with what to do.
    """
    if not isinstance(value, Mapping):
        raise unexpected("a mapping", value)
    if _KEY not in value:
        raise WrongValue("it has no schema: expected a value that a task of this package wrote")
    try:
        found = _NUMBER(value[_KEY])
    except WrongValue as err:
        raise err.inside(f".{_KEY}") from None
    if found > SCHEMA:
        problem = f"it is {found}, and this release reads up to {SCHEMA}"
        advice = "run the same version of this package everywhere"
        raise WrongValue(f"{problem}: {advice}", f".{_KEY}")


def versioned(check: Check[T]) -> Check[T]:
    """Return a check that checks the schema first: a newer one may mean others by its keys."""

    def checked(value: Any) -> T:
        check_schema(value)
        return check(value)

    return checked
