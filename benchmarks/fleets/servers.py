"""The servers that are asked, with all that the clusters have: nothing is to be copied."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.files.servers import BUCKET, RequestCounter, Target, counted, fresh_target
from benchmarks.fleets.lists import DOWNLOADS, content_of, file_names, image_names
from benchmarks.images.image_set import ARCHITECTURES, Layer, PlannedImage
from benchmarks.images.servers import Registry, registry, registry_version
from benchmarks.images.storage import write_images
from tests.support.processes import find_program

FILE_TARGETS = {DOWNLOADS: f"s3://{BUCKET}"}
_LAYER_SIZE = 512


@dataclass(frozen=True, slots=True)
class Servers:
    """Two registries, and an S3 service behind a proxy that counts its requests."""

    source: Registry
    target: Registry
    store: Target
    counter: RequestCounter

    @property
    def environment(self) -> Mapping[str, str]:
        """What a client under Airflow must know: the connection to the S3 service."""
        connection = {
            "conn_type": "aws",
            "login": self.store.component.access_key,
            "password": self.store.component.secret_key,
            "extra": {"endpoint_url": self.store.url, "region_name": "us-east-1"},
        }
        return {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}


@contextmanager
def full_servers(directory: Path) -> Iterator[Servers]:
    """Run all servers, with all images at source and target, and all files."""
    write_images(directory / "source/data", map(_planned, image_names()))
    shutil.copytree(directory / "source/data", directory / "target/data")
    with (
        registry(directory / "source") as source,
        registry(directory / "target") as target,
        fresh_target(directory) as full,
        counted(full) as (store, counter),
    ):
        put_files(full)
        yield Servers(source, target, store, counter)


def _planned(name: str) -> PlannedImage:
    """Return a small image; its name is in it, so that no two are the same."""
    layers: dict[str, tuple[Layer, ...]] = {
        x: (Layer(f"base/{x}", _LAYER_SIZE),) for x in ARCHITECTURES
    }
    return PlannedImage(name, layers)


def put_files(store: Target) -> None:
    """Write all files as a copy would have: with their hash, and it beside them."""
    with closing(store.component.client()) as client:
        for name in file_names():
            content = content_of(name)
            sha = hashlib.sha256(content)
            checksum = b64encode(sha.digest()).decode()
            client.put_object(Bucket=BUCKET, Key=name, Body=content, ChecksumSHA256=checksum)
            client.put_object(Bucket=BUCKET, Key=f"{name}.sha256", Body=sha.hexdigest().encode())


def server_versions() -> str:
    """Return the versions of all servers."""
    command = [str(find_program("weed")), "version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return f"{registry_version()}; SeaweedFS {told.stdout.splitlines()[0]}"
