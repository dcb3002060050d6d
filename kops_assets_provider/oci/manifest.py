"""
What an image consists of, read from the bytes of its manifest, which are never changed.

https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md, image-index.md, and Docker's
"Image Manifest V 2, Schema 2". What a hostile registry could make of them is refused here: a
manifest that is an index as well (CVE-2021-41190), sizes that are none, digests that are paths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kops_assets_provider.exceptions import InvalidManifestError
from kops_assets_provider.http.json_bodies import parse_json
from kops_assets_provider.oci.ambiguous_fields import check_fields
from kops_assets_provider.oci.digest import Digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ACCEPT = ", ".join((OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))

_MANIFESTS = {OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST}

MAX_MANIFEST = 4 << 20  # bytes; registries must accept this much and may refuse more (spec v1.1)
_MAX_BLOB = 1 << 40  # bytes; no registry takes a larger one
_MAX_ENTRIES = 1000
_MAX_VALUES = 100_000  # of JSON, each with tens of bytes in memory for two of text
# Layers that their owner forbids to distribute. They stay at their own URLs (Windows base images).
_FOREIGN_LAYERS = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A content by its digest, with its ``size`` in bytes and, for a manifest, its platform."""

    media_type: str
    digest: Digest
    size: int
    platform: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """
    A manifest or index: its bytes, and what they name.

    An index has ``children`` and no ``blobs``; an image has ``blobs``, its config first, and no
    ``children``.
    """

    media_type: str
    raw: bytes
    digest: Digest
    children: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()


def parse_manifest(raw: bytes, content_type: str, digest: Digest | None = None) -> Manifest:
    """
    Read a manifest's bytes.

    :param content_type: the ``Content-Type`` that the registry sent with it.
    :param digest: its digest, if that is known to be right; computed otherwise.
    :raises InvalidManifestError: it is none, or is a kind that cannot be copied.
    """
    document = _load(raw)
    media_type = _media_type(document, content_type)
    if media_type in (OCI_INDEX, DOCKER_LIST):
        children = _descriptors(document, "manifests")
        if not children:
            raise InvalidManifestError("an index that names no manifests")
        return Manifest(
            media_type=media_type, raw=raw, digest=digest or Digest.of(raw), children=children
        )
    if media_type in (OCI_MANIFEST, DOCKER_MANIFEST):
        config = _descriptor(document.get("config"), "config")
        layers = _descriptors(document, "layers")
        if any(x.media_type in _MANIFESTS for x in (config, *layers)):
            raise InvalidManifestError("an image whose config or layer calls itself a manifest")
        blobs = (config, *(x for x in layers if not x.media_type.startswith(_FOREIGN_LAYERS)))
        return Manifest(
            media_type=media_type, raw=raw, digest=digest or Digest.of(raw), blobs=blobs
        )
    raise InvalidManifestError(f"cannot copy a manifest of type {media_type!r:.120}")


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_MANIFEST:
        raise InvalidManifestError(f"a manifest of {len(raw)} bytes; {MAX_MANIFEST} are allowed")
    if sum(map(raw.count, (b"[", b"{", b","))) > _MAX_VALUES:
        raise InvalidManifestError(f"a manifest of more than {_MAX_VALUES} values")
    try:
        document = parse_json(raw)
    except ValueError as err:
        raise InvalidManifestError(f"a manifest that is not JSON: {err}") from err
    if not isinstance(document, dict):
        raise InvalidManifestError("a manifest that is not a JSON object")
    if "manifests" in document and ("layers" in document or "config" in document):
        raise InvalidManifestError("a manifest that is an image and an index at once")
    check_fields(document, "a manifest that")
    if document.get("schemaVersion", 2) != 2 or document.get("fsLayers"):
        raise InvalidManifestError("a manifest of another schema than version 2")
    return document


def _media_type(document: dict[str, Any], content_type: str) -> str:
    sent = content_type.partition(";")[0].strip().lower()
    written = document.get("mediaType")
    if written is not None and not isinstance(written, str):
        raise InvalidManifestError("a manifest whose mediaType is not a string")
    if written and sent and written != sent and sent != "application/json":
        raise InvalidManifestError(
            f"a manifest sent as {sent!r:.120} that calls itself {written!r:.120}"
        )
    if written or (sent and sent != "application/json"):
        return written or sent
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST


def _descriptors(document: dict[str, Any], key: str) -> tuple[Descriptor, ...]:
    entries = document.get(key)
    if not isinstance(entries, list) or len(entries) > _MAX_ENTRIES:
        raise InvalidManifestError(f"a manifest without a list of at most {_MAX_ENTRIES} {key}")
    return tuple(_descriptor(entry, f"{key}[{i}]") for i, entry in enumerate(entries))


def _descriptor(entry: Any, where: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise InvalidManifestError(f"a manifest whose {where} is not a descriptor")
    check_fields(entry, f"a manifest whose {where}")
    check_fields(entry.get("platform"), f"a manifest whose {where}'s platform")
    size, media_type = entry.get("size"), entry.get("mediaType")
    # bool is an int in Python and 1.0 a number in JSON: neither is a size.
    if type(size) is not int or not 0 <= size <= _MAX_BLOB:
        raise InvalidManifestError(f"a manifest whose {where} has the size {size!r:.40}")
    if not media_type or not isinstance(media_type, str):
        raise InvalidManifestError(f"a manifest whose {where} has no mediaType")
    return Descriptor(
        media_type=media_type,
        digest=Digest(entry.get("digest")),
        size=size,
        platform=_platform(entry),
    )


def _platform(entry: dict[str, Any]) -> str | None:
    platform = entry.get("platform")
    if not isinstance(platform, dict):
        return None
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(str(part) for part in parts if part)
