"""A large image and a large file, and DAGs: one that copies both, and one that does nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.nights.stores import open_store
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.oci_registry import OciRegistryServer

COPY, EMPTY = "copy", "empty"
_DOWNLOADS = "https://files.example.com"
_DAGS = """\
from airflow.sdk import dag, task

from kops_assets_provider.dag_factory import kops_copy_assets_dag

copy = kops_copy_assets_dag({copy!r}, **{options!r})


@dag(dag_id={empty!r})
def empty():
    @task
    def nothing():
        return None

    nothing()


empty()
"""


@contextmanager
def large_assets(directory: Path, size: int) -> Iterator[LocalAirflow]:
    """Run an Airflow that can copy an image and a file of ``size`` bytes to a registry and S3."""
    with (
        OciRegistryServer(root=directory / "source") as source,
        OciRegistryServer(root=directory / "target") as target,
        FileServer({"/large": bytes(size)}) as files,
        open_store("s3", directory) as store,
    ):
        image = make_image("large", platforms=["linux/amd64"], layers=1, base_layers=0, size=size)
        put_image(source, "large:v1", image)
        assets = asset_list(
            "large.example.com",
            [(f"{source.host}/large:v1", f"{target.host}/kops/large:v1")],
            [(f"{files.url}/large", f"{_DOWNLOADS}/large", bytes(size))],
        )
        (directory / "list.json").write_text(json.dumps(assets))
        options = {
            "asset_list": str(directory / "list.json"),
            "file_targets": {_DOWNLOADS: store.files},
            "record_url": store.records,
        }
        folder = directory / "dags"
        folder.mkdir()
        (folder / "memory.py").write_text(_DAGS.format(copy=COPY, empty=EMPTY, options=options))
        env = dict(store.airflow_env)
        with LocalAirflow(directory / "airflow", folder, env=env) as airflow:
            yield airflow
