"""A file that must be copied, as its plan hands it to a task."""

from __future__ import annotations

from typing import Any

from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.json_reader import read_value
from kops_assets_provider.mirror.model.schema import check_schema, with_schema


def planned_file_to_dict(file: FileAsset) -> dict[str, Any]:
    """Return plain JSON values: kOps' keys, and their schema."""
    return with_schema(file.to_dict())


def planned_file_from_dict(values: object, where: str = "planned file") -> FileAsset:
    """Read what ``planned_file_to_dict`` wrote; raises InvalidInputError."""
    read_value(check_schema, values, where)
    return FileAsset.from_dict(values, where)
