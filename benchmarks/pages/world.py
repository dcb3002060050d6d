"""An Airflow in which a fleet was mirrored, and a cluster by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.files.servers import BUCKET
from benchmarks.fleets.lists import make_fleet, write_lists
from benchmarks.fleets.servers import FILE_TARGETS, full_servers
from benchmarks.measuring.client import BenchmarkError
from tests.support.local_airflow import LocalAirflow

FLEET, ALONE = "fleet", "alone"
_PREFIX = "kops_copy_assets_"
_DAG = """\
# Airflow looks only into files that have both its name and the word dag in them.
from kops_assets_provider.dag_factory import kops_copy_fleet_dags

dags = {{dag.dag_id: dag for dag in kops_copy_fleet_dags({path!r})}}
globals().update(dags)
"""


@dataclass(frozen=True, slots=True)
class World:
    """An Airflow, and the ids of the runs of both groups."""

    airflow: LocalAirflow
    runs: Mapping[str, str]

    def address(self, group: str) -> str:
        """Return the page of all clusters, or that of the run of the cluster by itself."""
        own = "" if group == FLEET else f"?dag_id={_PREFIX}{group}&run_id={self.runs[group]}"
        return f"{self.airflow.url}/kops-assets/{own.replace('+', '%2B')}"


@contextmanager
def mirrored(directory: Path, clusters: int) -> Iterator[World]:
    """Let everything be at the targets, and run both DAGs: nothing is copied."""
    with full_servers(directory) as servers:
        hosts = servers.source.host, servers.target.host
        paths = write_lists(make_fleet(clusters), *hosts, directory / "lists")
        _write_dags(directory, paths)
        env = dict(servers.environment)
        with LocalAirflow(directory / "airflow", directory / "dags", env=env) as airflow:
            yield World(airflow, {group: _run(airflow, group) for group in (FLEET, ALONE)})


def _write_dags(directory: Path, paths: Mapping[str, str]) -> None:
    lists = {name: {"asset_list": path} for name, path in paths.items()}
    groups = {FLEET: lists, ALONE: dict(list(lists.items())[:1])}
    options = {"file_targets": FILE_TARGETS, "record_url": f"s3://{BUCKET}/records"}
    document = {"groups": {x: {**options, "clusters": clusters} for x, clusters in groups.items()}}
    path, folder = directory / "fleet.yaml", directory / "dags"
    path.write_text(yaml.safe_dump(document))
    folder.mkdir()
    (folder / "fleet.py").write_text(_DAG.format(path=str(path)))


def _run(airflow: LocalAirflow, group: str) -> str:
    dag_id = f"{_PREFIX}{group}"
    run_id = airflow.api.trigger(dag_id)
    if airflow.api.wait(dag_id, run_id, timeout=1200)["state"] != "success":
        raise BenchmarkError(f"the run of {dag_id} failed")
    return run_id
