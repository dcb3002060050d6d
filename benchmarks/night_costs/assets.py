"""The cluster's assets: images and files at a source, and the list of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kops_assets_provider.testing.file_server import FileServer
from kops_assets_provider.testing.images import make_image, put_image
from kops_assets_provider.testing.oci_registry import OciRegistryServer

CLUSTER = "benchmark.example.com"
KOPS_VERSION = "1.36.2"
DOWNLOADS = "https://files.example.com"
_FILE_SIZE = 100_000


@dataclass(frozen=True, slots=True)
class AssetSet:
    """So many images and files, and the saved list that names them."""

    images: int
    files: int
    list_file: Path

    @property
    def count(self) -> int:
        """How many assets there are."""
        return self.images + self.files


@contextmanager
def served_assets(directory: Path, images: int, files: int) -> Iterator[AssetSet]:
    """Run two registries and a web server, with all assets at the source; write the list."""
    contents = {f"/file{i:02}": f"file{i:02} ".encode() * (_FILE_SIZE // 7) for i in range(files)}
    with (
        OciRegistryServer() as source,
        OciRegistryServer() as target,
        FileServer(dict(contents)) as web,
    ):
        names = [f"image{i:02}:1" for i in range(images)]
        for name in names:
            put_image(source, name, make_image(name))
        document = {
            "cluster": CLUSTER,
            "kops_version": KOPS_VERSION,
            "images": [_image(source.host, target.host, name) for name in names],
            "files": [_file(web.url, path, data) for path, data in contents.items()],
        }
        path = directory / "list.json"
        path.write_text(json.dumps(document))
        yield AssetSet(images, files, path)


def _image(source: str, target: str, name: str) -> dict[str, str]:
    return {"canonical": f"{source}/{name}", "download": f"{target}/kops/{name}"}


def _file(source: str, path: str, data: bytes) -> dict[str, str]:
    sha = hashlib.sha256(data).hexdigest()
    return {"canonical": f"{source}{path}", "download": f"{DOWNLOADS}{path}", "sha": sha}
