"""
Stand-ins for everything that a cluster's assets are downloaded from.

Nobody can forge the bytes behind kubelet's hash. So each asset of a list gets an image or a file
made of nothing, under its own name on a local server, with a rewrite that leads there, and for
files the hash that their stand-in really has.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.images import Image, make_image

PLATFORMS = ("linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x")
_HUB = "docker.io"

PushImage = Callable[[str, str, Image], None]


@dataclass
class Upstream:
    """
    What was made: where it is, and what it is.

    :param rewrites: for ``source_rewrites``.
    :param shas: canonical URL to the SHA-256 of its stand-in.
    :param digests: canonical name to the digest of its stand-in.
    """

    rewrites: dict[str, str] = field(default_factory=dict)
    shas: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add_images(
        self, names: Iterable[str], host: str, push: PushImage, *, layer_bytes: int = 64_000
    ) -> None:
        """
        Make images and push them with ``push(repository, tag, image)`` to the registry ``host``.

        All are multi-platform and share the lowest layer of each platform, as images do that were
        built on one base image.
        """
        for name in names:
            registry, repository, tag = _split(name)
            image = make_image(name, platforms=PLATFORMS, layers=3, size=layer_bytes)
            push(f"{registry}/{repository}", tag, image)
            self.digests[name] = image.digest
            self.rewrites[registry] = f"{host}/{registry}"

    def add_files(
        self, urls: Iterable[str], directory: Path, url: str, *, file_bytes: int = 1_000_000
    ) -> None:
        """Make files below ``directory``, which a server at ``url`` serves."""
        for canonical in urls:
            parts = urlsplit(canonical)
            content = hashlib.shake_256(canonical.encode()).digest(file_bytes)
            path = directory / parts.netloc / parts.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self.shas[canonical] = hashlib.sha256(content).hexdigest()
            self.rewrites[f"{parts.scheme}://{parts.netloc}"] = f"{url}/{parts.netloc}"

    def write_shas(self, path: Path) -> None:
        """Write the file for ``sha_file``; JSON is YAML."""
        path.write_text(json.dumps(self.shas, indent=1))


def _split(name: str) -> tuple[str, str, str]:
    """Split an image's name as Docker does, independently of our own code that does."""
    path, _, tag = name.rpartition(":")
    first, _, rest = path.partition("/")
    if rest and ("." in first or ":" in first):
        return first, rest, tag
    return _HUB, path if rest else f"library/{path}", tag
