"""
Copying some of an image's platforms: an index without the others.

The new index is a function of the old one and the wanted platforms alone, so a later run knows by
the old index what must be at the target. It names only what is copied: registries refuse an index
with children that they do not have, and pulling it would fail on the node that wants one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kops_assets_provider.exceptions import InvalidManifestError, Side
from kops_assets_provider.http.json_bodies import parse_json
from kops_assets_provider.oci.manifest import Manifest, parse_manifest

# Where BuildKit keeps what belongs to another child: provenance and SBOM.
# https://github.com/moby/buildkit/blob/v0.13.0/docs/attestations/attestation-storage.md
_BELONGS_TO = "vnd.docker.reference.digest"


def trim(index: Manifest, platforms: Sequence[str]) -> Manifest:
    """
    Return ``index`` with the children for ``platforms``, and what belongs to them.

    An image without an index, and an index that has no other children, is returned as it is.

    :param platforms: ``os/architecture[/variant]``; one without a variant means all variants. All
        platforms if empty.
    :raises InvalidManifestError: it has none of them; the message names those that it has.
    """
    if not platforms or not index.children:
        return index
    document: dict[str, Any] = parse_json(index.raw)
    entries: list[dict[str, Any]] = document["manifests"]
    kept = {e["digest"] for e in entries if _matches(_platform(e), platforms)}
    if not kept:
        has = ", ".join(sorted({_platform(e) for e in entries} - {"unknown/unknown", ""}))
        wanted = ", ".join(platforms)
        message = f"{index.digest} has no platform {wanted}; it has {has or 'none'}"
        raise InvalidManifestError(message, side=Side.SOURCE)
    kept |= {e["digest"] for e in entries if _owner(e) in kept}
    if len(kept) == len({e["digest"] for e in entries}):
        return index
    document["manifests"] = [e for e in entries if e["digest"] in kept]
    # ASCII, since there may be escapes that stand for no character, which UTF-8 cannot write.
    raw = json.dumps(document, separators=(",", ":")).encode()
    return parse_manifest(raw, index.media_type)


def _platform(entry: dict[str, Any]) -> str:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return ""
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(x) for x in parts if x)


def _matches(platform: str, wanted: Sequence[str]) -> bool:
    return any(platform == x or platform.startswith(f"{x}/") for x in wanted)


def _owner(entry: dict[str, Any]) -> str:
    annotations = entry.get("annotations") or {}
    return str(annotations.get(_BELONGS_TO, "")) if isinstance(annotations, dict) else ""
