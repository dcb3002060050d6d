"""The cluster's assets: images and files at a source, and the list of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.oci_registry import OciRegistryServer

CLUSTER = "benchmark.example.com"
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
        document = asset_list(
            CLUSTER,
            [(f"{source.host}/{x}", f"{target.host}/kops/{x}") for x in names],
            [(f"{web.url}{x}", f"{DOWNLOADS}{x}", data) for x, data in contents.items()],
        )
        path = directory / "list.json"
        path.write_text(json.dumps(document))
        yield AssetSet(images, files, path)
