"""
Images made of nothing: small, valid, and the same each time for the same name.

Real tar layers in gzip, real configs, shared base layers. They can be put into a fake registry's
storage, or pushed to any registry that speaks plain HTTP.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urljoin

from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.storage import RegistryStorage, digest_of

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"
_CREATED = "2024-01-01T00:00:00Z"


class ImageKind(StrEnum):
    """The shapes that images come in."""

    OCI_INDEX = "OCI index"
    DOCKER_MANIFEST_LIST = "Docker manifest list"
    OCI_MANIFEST = "OCI manifest of one platform"
    DOCKER_MANIFEST = "Docker manifest of one platform"

    @property
    def media_types(self) -> dict[str, str]:
        """The media types of index, manifest, config and layer."""
        if self.name.startswith("OCI"):
            return {
                "index": f"{_OCI}.index.v1+json",
                "manifest": f"{_OCI}.manifest.v1+json",
                "config": f"{_OCI}.config.v1+json",
                "layer": f"{_OCI}.layer.v1.tar+gzip",
            }
        return {
            "index": f"{_DOCKER}.distribution.manifest.list.v2+json",
            "manifest": f"{_DOCKER}.distribution.manifest.v2+json",
            "config": f"{_DOCKER}.container.image.v1+json",
            "layer": f"{_DOCKER}.image.rootfs.diff.tar.gzip",
        }

    @property
    def has_platforms(self) -> bool:
        """Whether there is an index above the manifests."""
        return self in {ImageKind.OCI_INDEX, ImageKind.DOCKER_MANIFEST_LIST}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or index: the bytes that its digest is of."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """``sha256:...`` of the bytes."""
        return digest_of(self.data)


@dataclass(frozen=True, slots=True)
class Image:
    """
    An image with all its parts, by digest.

    ``manifests`` has children before parents; the last is the one that a tag points to.
    """

    manifests: Mapping[str, Manifest]
    blobs: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The digest of the index, or of the only manifest."""
        return list(self.manifests)[-1]

    @property
    def top(self) -> Manifest:
        """The index, or the only manifest."""
        return self.manifests[self.digest]

    @property
    def size(self) -> int:
        """The bytes of all blobs and manifests."""
        return sum(map(len, self.blobs.values())) + sum(
            len(manifest.data) for manifest in self.manifests.values()
        )


def make_image(
    name: str = "image",
    *,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
    layers: int = 2,
    base_layers: int = 1,
    seed: str = "base",
    size: int = 4096,
    kind: ImageKind = ImageKind.OCI_INDEX,
) -> Image:
    """
    Return the image of that name: the same bytes each time.

    :param platforms: ``os/architecture`` or ``os/architecture/variant``.
    :param layers: number of layers of each platform, of which the first ``base_layers`` come from
        ``seed`` and not from ``name``: images with the same seed share them.
    :param size: bytes in each layer, before gzip, which does not make them fewer.
    :param kind: a kind without platforms takes the first platform alone.
    """
    platforms = platforms if kind.has_platforms else platforms[:1]
    blobs: dict[str, bytes] = {}
    manifests: dict[str, Manifest] = {}
    children = []
    for platform in platforms:
        owners = [seed if number < base_layers else name for number in range(layers)]
        contents = [
            make_layer(f"{owner}/{platform}/{number}", size) for number, owner in enumerate(owners)
        ]
        manifest = _make_manifest(name, platform, contents, kind, blobs)
        manifests[manifest.digest] = manifest
        children.append({**_descriptor(manifest), "platform": _platform_fields(platform)})
    if kind.has_platforms:
        media_type = kind.media_types["index"]
        index = {"schemaVersion": 2, "mediaType": media_type, "manifests": children}
        top = Manifest(media_type, _to_json(index))
        manifests[top.digest] = top
    return Image(manifests, blobs)


def make_layer(name: str, size: int) -> tuple[bytes, str]:
    """Return a gzipped tar of one file of ``size`` bytes, and the digest of the tar in it."""
    content = hashlib.shake_256(name.encode()).digest(size)
    entry = tarfile.TarInfo(f"layers/{name.replace('/', '-').replace(':', '-')}")
    entry.size = size
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(content))
    tar_bytes = buffer.getvalue()
    # Random bytes cannot be compressed: level 0 saves the time of trying.
    return gzip.compress(tar_bytes, 0, mtime=0), digest_of(tar_bytes)


def put_image(registry: OciRegistryServer | RegistryStorage, reference: str, image: Image) -> None:
    """
    Put an image into a fake registry, without a request.

    :param reference: ``repository:tag`` or ``repository``, then without a tag.
    """
    storage = registry.storage if isinstance(registry, OciRegistryServer) else registry
    repository, _, tag = reference.partition(":")
    for blob in image.blobs.values():
        storage.put_blob(repository, blob)
    for digest, manifest in image.manifests.items():
        tagged = (tag or None) if digest == image.digest else None
        storage.put_manifest(repository, manifest.data, manifest.media_type, tagged)


def push_image(
    base_url: str,
    repository: str,
    tag: str,
    image: Image,
    credentials: tuple[str, str] | None = None,
) -> None:
    """
    Push an image to a registry, with Basic credentials if given.

    :raises urllib.error.HTTPError: for any refusal.
    """
    push = _Pusher(f"{base_url}/v2/{repository}", credentials)
    for digest, blob in image.blobs.items():
        push.blob(digest, blob)
    for digest, manifest in image.manifests.items():
        push.manifest(tag if digest == image.digest else digest, manifest)


class _Pusher:
    def __init__(self, url: str, credentials: tuple[str, str] | None) -> None:
        self._url = url
        self._headers: dict[str, str] = {}
        if credentials:
            encoded = base64.b64encode(":".join(credentials).encode()).decode()
            self._headers["Authorization"] = f"Basic {encoded}"

    def blob(self, digest: str, data: bytes) -> None:
        if self._has_blob(digest):
            return
        location = self._send("POST", f"{self._url}/blobs/uploads/")["Location"]
        upload = urljoin(self._url, location)
        separator = "&" if "?" in upload else "?"
        content_type = "application/octet-stream"
        self._send("PUT", f"{upload}{separator}digest={digest}", data, content_type)

    def manifest(self, reference: str, manifest: Manifest) -> None:
        url = f"{self._url}/manifests/{reference}"
        self._send("PUT", url, manifest.data, manifest.media_type)

    def _has_blob(self, digest: str) -> bool:
        try:
            self._send("HEAD", f"{self._url}/blobs/{digest}")
        except HTTPError as error:
            error.close()
            if error.code == 404:
                return False
            raise
        return True

    def _send(
        self, method: str, url: str, data: bytes = b"", content_type: str | None = None
    ) -> Mapping[str, str]:
        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        request = urllib.request.Request(url, data or None, headers, method=method)
        if not data and method != "HEAD":
            request.add_header("Content-Length", "0")
        with urllib.request.urlopen(request) as response:
            return dict(response.headers)


def _make_manifest(
    name: str,
    platform: str,
    layers: list[tuple[bytes, str]],
    kind: ImageKind,
    blobs: dict[str, bytes],
) -> Manifest:
    """Return a manifest, and add its config and layers to ``blobs``."""
    types = kind.media_types
    config = {
        **_platform_fields(platform),
        "created": _CREATED,
        "config": {"Labels": {"org.opencontainers.image.title": name}},
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in layers]},
        "history": [{"created": _CREATED, "created_by": "testing"} for _ in layers],
    }
    parts = [Manifest(types["config"], _to_json(config))]
    parts += [Manifest(types["layer"], data) for data, _ in layers]
    blobs.update({part.digest: part.data for part in parts})
    manifest = {
        "schemaVersion": 2,
        "mediaType": types["manifest"],
        "config": _descriptor(parts[0]),
        "layers": [_descriptor(part) for part in parts[1:]],
    }
    return Manifest(types["manifest"], _to_json(manifest))


def _descriptor(part: Manifest) -> dict[str, Any]:
    return {"mediaType": part.media_type, "digest": part.digest, "size": len(part.data)}


def _platform_fields(platform: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def _to_json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
