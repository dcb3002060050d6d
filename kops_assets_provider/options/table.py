"""All options, in the order of the docs."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from kops_assets_provider.options import copy_options, list_options
from kops_assets_provider.options.option import Option


def _options_of(module: ModuleType) -> tuple[Option[Any], ...]:
    return tuple(x for x in vars(module).values() if isinstance(x, Option))


LIST_OPTIONS = _options_of(list_options)
"""Options of one cluster's list."""
COPY_OPTIONS = _options_of(copy_options)
"""Options of the mirror, for all clusters of a group."""
OPTIONS = {x.name: x for x in (*LIST_OPTIONS, *COPY_OPTIONS)}
"""All of them by their names."""
