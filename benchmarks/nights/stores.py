"""Where the files and the mirror's record are kept: SeaweedFS, or a directory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring.client import Client, run_client
from benchmarks.nights.assets import DOWNLOADS, AssetSet
from tests.support.component import S3Component
from tests.support.components import seaweedfs
from tests.support.processes import find_program

KINDS = ("s3", "directory")
_BUCKET = "mirror"


@dataclass(frozen=True, slots=True)
class Store:
    """
    A place for files and the record, as ``file_targets`` and ``record_url`` name it.

    :param airflow_env: what Airflow must know to get there, ``command_env`` what a command must.
    """

    files: str
    records: str
    airflow_env: Mapping[str, str] = field(default_factory=dict)
    command_env: Mapping[str, str] = field(default_factory=dict)

    def options(self, assets: AssetSet) -> dict[str, object]:
        """Return what a DAG that mirrors the assets to here is told."""
        return {
            "asset_list": str(assets.list_file),
            "file_targets": {DOWNLOADS: self.files},
            "record_url": self.records,
        }

    def fill(self, assets: AssetSet, directory: Path) -> None:
        """Copy all, as an earlier night would have; raises BenchmarkError if that fails."""
        command = [
            *(str(find_program("kops-assets")), "copy", "--quiet"),
            *("--from", str(assets.list_file)),
            *("--file-target", f"{DOWNLOADS}={self.files}", "--record-url", self.records),
        ]
        run_client(Client([command], environment=self.command_env), directory)


@contextmanager
def open_store(kind: str, directory: Path) -> Iterator[Store]:
    """Make an empty store of one of the ``KINDS`` below a directory."""
    if kind == "directory":
        yield Store(str(directory / "mirror"), str(directory / "records"))
        return
    with seaweedfs(directory / "s3") as s3:
        with closing(s3.client()) as client:
            client.create_bucket(Bucket=_BUCKET)
        yield _s3_store(s3)


def _s3_store(s3: S3Component) -> Store:
    connection = {
        "conn_type": "aws",
        "login": s3.access_key,
        "password": s3.secret_key,
        "extra": {"endpoint_url": s3.url, "region_name": "us-east-1"},
    }
    command = {
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_ENDPOINT_URL_S3": s3.url,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    airflow = {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection)}
    return Store(f"s3://{_BUCKET}/files", f"s3://{_BUCKET}/records", airflow, command)
