"""
Refuse fields of a manifest that Go's JSON reader would read differently, or not at all.

Registries and container runtimes are written in Go, which finds a field whatever the case of its
key: of ``layers`` and ``Layers`` the later one counts (https://pkg.go.dev/encoding/json#Unmarshal).
So a node might pull other blobs than those that were copied. And one value of the wrong type makes
the whole manifest unreadable.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from kops_assets_provider.exceptions import InvalidManifestError

# https://github.com/opencontainers/image-spec/tree/v1.1.1/specs-go/v1, and Docker's formats. The
# types of platforms and annotations are not checked: copying some platforms leaves odd ones out.
_TYPES: Mapping[str, type] = {
    "schemaVersion": int,
    "mediaType": str,
    "artifactType": str,
    "config": dict,
    "layers": list,
    "manifests": list,
    "fsLayers": list,
    "subject": dict,
    "annotations": object,
    "digest": str,
    "size": int,
    "urls": list,
    "data": str,
    "platform": object,
    "architecture": object,
    "os": object,
    "variant": object,
}
# ``casefold`` also folds the two letters outside ASCII that Go takes for k and s.
_SPELLINGS = {name.casefold(): name for name in _TYPES}


def check_fields(values: object, where: str) -> None:
    """
    Check the keys and types of the fields of a manifest, a descriptor or a platform.

    ``null`` has every type, as in Go. What is no JSON object has no fields.

    :param where: names the object in the error's message.
    :raises InvalidManifestError: a key differs from a field's name by case alone, or a value has
        the wrong type.
    """
    for key, value in values.items() if isinstance(values, dict) else ():
        name = _SPELLINGS.get(key.casefold())
        if name is None:
            continue
        if key != name:
            problem = f"the key {key!r:.80}, which other readers take for {name!r}"
            raise InvalidManifestError(f"{where} has {problem}")
        if not _is_readable(name, value):
            raise InvalidManifestError(f"{where} has {name!r} of the wrong type")


def _is_readable(name: str, value: Any) -> bool:
    expected = _TYPES[name]
    # In Python bool is an int.
    wrong = not isinstance(value, expected) or (expected is int and isinstance(value, bool))
    if value is None or wrong:
        return value is None
    if name == "urls":
        return all(isinstance(x, str) for x in value)
    return name != "data" or _is_base64(value)


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
