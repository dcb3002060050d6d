"""
Writes images straight into the storage of a docker-registry, as its file system driver lays it out.

A push of 2 GB would take as long as the copies that are to be measured. A blob is a file named by
its digest; a repository has links, small files with a digest in them, to what belongs to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.images.image_set import TAG, Layer, PlannedImage
from benchmarks.images.layers import WrittenBlob, write_layer
from tests.support.images import ImageKind

_TYPES = ImageKind.OCI_INDEX.media_types
_CREATED = "2024-01-01T00:00:00Z"


@dataclass(slots=True)
class ImageSet:
    """
    The images in a registry.

    ``digests`` has each image's index by the image's name, ``blobs`` each different blob's size by
    digest, and ``references`` the size of each blob once for each manifest that names it.
    """

    digests: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    references: list[int] = field(default_factory=list)

    @property
    def unique_bytes(self) -> int:
        """What has to be moved at least."""
        return sum(self.blobs.values())

    @property
    def bytes_one_by_one(self) -> int:
        """What is moved if every image is copied alone."""
        return sum(self.references)


def write_images(data: Path, images: Iterable[PlannedImage]) -> ImageSet:
    """Write images into a registry's empty data directory, and return what is there then."""
    writer = _Writer(data / "docker/registry/v2")
    for image in images:
        writer.image(image)
    return writer.written


class _Writer:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._layers: dict[Layer, WrittenBlob] = {}
        self.written = ImageSet()

    def image(self, image: PlannedImage) -> None:
        children = [self._manifest(image.name, x, layers) for x, layers in image.layers.items()]
        document = {"schemaVersion": 2, "mediaType": _TYPES["index"], "manifests": children}
        index = self._content(document)
        self._link_manifest(image.name, index)
        tag = self._repository(image.name) / "_manifests/tags" / TAG
        _write(tag / "current/link", index.digest.encode())
        _link(tag / "index", index)
        self.written.digests[image.name] = index.digest

    def _manifest(self, repository: str, arch: str, layers: Iterable[Layer]) -> dict[str, Any]:
        """Write the manifest of one platform and what it names; return its descriptor."""
        blobs = [self._layer(x) for x in layers]
        platform = {"os": "linux", "architecture": arch}
        config = self._content(_config(repository, platform, blobs))
        for blob in (config, *blobs):
            self._link_blob(repository, blob)
        document = {
            "schemaVersion": 2,
            "mediaType": _TYPES["manifest"],
            "config": _descriptor("config", config),
            "layers": [_descriptor("layer", blob) for blob in blobs],
        }
        manifest = self._content(document)
        self._link_manifest(repository, manifest)
        return {**_descriptor("manifest", manifest), "platform": platform}

    def _layer(self, layer: Layer) -> WrittenBlob:
        if layer not in self._layers:
            temporary = self._root / "layer"
            self._root.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                blob = write_layer(layer, file)
            path = self._blob_path(blob.digest)
            path.parent.mkdir(parents=True)
            temporary.rename(path)
            self._layers[layer] = blob
        return self._layers[layer]

    def _content(self, document: dict[str, Any]) -> WrittenBlob:
        data = json.dumps(document, separators=(",", ":")).encode()
        blob = WrittenBlob(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
        _write(self._blob_path(blob.digest), data)
        return blob

    def _link_blob(self, repository: str, blob: WrittenBlob) -> None:
        _link(self._repository(repository) / "_layers", blob)
        self.written.blobs[blob.digest] = blob.size
        self.written.references.append(blob.size)

    def _link_manifest(self, repository: str, manifest: WrittenBlob) -> None:
        _link(self._repository(repository) / "_manifests/revisions", manifest)

    def _repository(self, name: str) -> Path:
        return self._root / "repositories" / name

    def _blob_path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        return self._root / "blobs" / algorithm / encoded[:2] / encoded / "data"


def _config(name: str, platform: dict[str, str], layers: list[WrittenBlob]) -> dict[str, Any]:
    return {
        **platform,
        "created": _CREATED,
        "config": {"Labels": {"org.opencontainers.image.title": name}},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }


def _descriptor(kind: str, blob: WrittenBlob) -> dict[str, Any]:
    return {"mediaType": _TYPES[kind], "digest": blob.digest, "size": blob.size}


def _link(directory: Path, blob: WrittenBlob) -> None:
    _write(directory / blob.digest.replace(":", "/") / "link", blob.digest.encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
