"""
Mirror a sample cluster's assets on this machine, by the shipped DAG, under a real Airflow.

Stand-ins for upstream hold an image or a file for every asset of the cluster; the mirror is a
registry and an S3 server. All of it listens on loopback alone and is gone at the end. What was
mirrored stays in the demo's directory: a second run finds it there and copies nothing.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kops_assets_provider.exceptions import KopsAssetsError, PermanentError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.lists.get_list import list_cluster
from tests.support.airflow_api import AirflowApiError
from tests.support.components import seaweedfs
from tests.support.file_server import FileServer
from tests.support.images import put_image
from tests.support.local_airflow import LocalAirflow
from tests.support.oci_registry import OciRegistryServer
from tests.support.processes import free_ports
from tests.support.reread import wrong_assets
from tests.support.upstream import Upstream

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "tests/support" / "demo.example.com.yaml"
KOPS_VERSION = "1.36.2"
DAG_ID = "kops_copy_assets_manual"
ACCESS_KEY, SECRET_KEY = "AKIADEMODEMODEMO1234", "demo-secret-key"
PORTS = ("upstream_registry", "upstream_files", "registry", "s3", "airflow")


def main() -> int:
    """Run the demo; return 0 if the mirror is whole, 1 if not, 130 after Ctrl-C."""
    options = _options()
    # A stop from outside cleans up like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        return Demo(options.directory.resolve(), online=options.online).run(ui=options.ui)
    except KeyboardInterrupt:
        say("stopped; nothing runs any more")
        return 130
    except (KopsAssetsError, OSError) as err:
        say(f"error: {err}")
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.split("\n\n")[0])
    parser.add_argument("--ui", action="store_true", help="keep it running, to look at it")
    parser.add_argument(
        "--online", action="store_true", help="copy the real images and files from the internet"
    )
    parser.add_argument(
        "--directory", type=Path, default=ROOT / ".demo", help="where its data is kept (.demo)"
    )
    return parser.parse_args()


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass
class Demo:
    """The demo in one directory."""

    directory: Path
    online: bool = False
    started: float = field(default_factory=time.monotonic)

    def run(self, *, ui: bool) -> int:
        """Mirror the cluster, check the mirror, and tell."""
        ports = self._ports()
        spec = self._write_spec(ports)
        listed = list_cluster(str(spec), KOPS_VERSION, fetch_hashes=False)
        images, files = len(listed.assets.images), len(listed.assets.files)
        self._say(f"{listed.cluster} on kOps {KOPS_VERSION} needs {images} images, {files} files")
        with ExitStack() as stack:
            upstream = stack.enter_context(self._upstream(listed.assets, ports))
            stack.enter_context(self._targets(ports))
            self._say("starting Airflow: API server, scheduler, DAG processor")
            airflow = stack.enter_context(self._airflow(spec, upstream, ports))
            report = self._copy(airflow)
            problems = self._check(listed.assets, upstream, report)
            self._tell(report, problems, airflow, ports)
            if ui:
                self._keep_running(airflow)
        return 1 if problems else 0

    def _say(self, text: str) -> None:
        say(f"{time.monotonic() - self.started:6.1f} s  {text}")

    def _ports(self) -> dict[str, int]:
        """Return a port for each server: the same ones each time, since they are part of names."""
        path = self.directory / "ports.json"
        if not path.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(zip(PORTS, free_ports(len(PORTS)), strict=True))))
        ports: dict[str, int] = json.loads(path.read_text())
        return ports

    def _write_spec(self, ports: dict[str, int]) -> Path:
        text = SPEC.read_text()
        text = text.replace("registry.demo.example.com", f"127.0.0.1:{ports['registry']}")
        text = text.replace("https://files.demo.example.com", f"http://127.0.0.1:{ports['s3']}")
        path = self.directory / "demo.example.com.yaml"
        path.write_text(text)
        return path

    @contextmanager
    def _upstream(self, assets: ClusterAssets, ports: dict[str, int]) -> Iterator[Upstream]:
        """Serve a stand-in for every asset."""
        upstream = Upstream()
        if self.online:
            yield upstream
            return
        files = self.directory / "upstream-files"
        images = self.directory / "upstream-registry"
        with (
            OciRegistryServer(root=images, port=ports["upstream_registry"]) as registry,
            FileServer(files, port=ports["upstream_files"]) as server,
        ):
            upstream.add_images(
                [x.canonical for x in assets.images],
                registry.host,
                lambda repository, tag, image: put_image(registry, f"{repository}:{tag}", image),
            )
            upstream.add_files([x.canonical for x in assets.files], files, server.url)
            upstream.write_shas(self.directory / "shas.json")
            self._say(f"upstream: registry {registry.url}, files {server.url}")
            yield upstream

    @contextmanager
    def _targets(self, ports: dict[str, int]) -> Iterator[None]:
        """Run the registry and the S3 server to mirror to; nodes may read it anonymously."""
        with (
            OciRegistryServer(root=self.directory / "registry", port=ports["registry"]) as registry,
            seaweedfs(
                self.directory / "s3",
                access_key=ACCESS_KEY,
                secret_key=SECRET_KEY,
                port=ports["s3"],
                anonymous_read=True,
            ) as s3,
        ):
            buckets = s3.client().list_buckets()["Buckets"]
            if "kops" not in {x["Name"] for x in buckets}:
                s3.client().create_bucket(Bucket="kops")
            self._say(f"mirror: registry {registry.url}, S3 {s3.url}")
            yield

    def _airflow(self, spec: Path, upstream: Upstream, ports: dict[str, int]) -> LocalAirflow:
        s3 = f"http://127.0.0.1:{ports['s3']}"
        variable: dict[str, Any] = {
            "cluster_spec": str(spec),
            "kops_version": KOPS_VERSION,
            "file_targets": {f"{s3}/kops": "s3://kops"},
            "check_downloads": True,
        }
        if not self.online:
            variable["source_rewrites"] = upstream.rewrites
            variable["sha_file"] = str(self.directory / "shas.json")
        connection = {
            "conn_type": "aws",
            "login": ACCESS_KEY,
            "password": SECRET_KEY,
            "extra": {"endpoint_url": s3, "region_name": "us-east-1"},
        }
        env = {
            "AIRFLOW_VAR_KOPS_ASSETS": json.dumps(variable),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "AIRFLOW__KOPS_ASSETS__ALLOWED_RECORD_URLS": "s3://kops/kops-assets",
        }
        home = self.directory / "airflow"
        return LocalAirflow(home, ROOT / "dags", port=ports["airflow"], env=env)

    def _copy(self, airflow: LocalAirflow) -> dict[str, Any]:
        """Run the DAG and return its report."""
        run_id = airflow.api.trigger(DAG_ID)
        self._say(f"running {DAG_ID}: {airflow.url}/dags/{DAG_ID}/runs/{run_id}")
        shown = ""

        def progress(instances: list[dict[str, Any]]) -> None:
            nonlocal shown
            text = "; ".join(_progress(instances))
            if text not in ("", shown):
                shown = text
                self._say(text)

        run = airflow.api.wait(DAG_ID, run_id, timeout=3600, on_progress=progress)
        self._say(f"the run ended: {run['state']}")
        try:
            report: dict[str, Any] = airflow.api.xcom(DAG_ID, run_id, "report", "report")
        except AirflowApiError as err:
            log = airflow.api.log(DAG_ID, run_id, "get_assets").splitlines()
            raise PermanentError(f"there is no list to copy: {log[-1] if log else err}") from err
        return report

    def _check(
        self, assets: ClusterAssets, upstream: Upstream, report: dict[str, Any]
    ) -> list[str]:
        """Read the mirror again, every byte of it, with nothing that copied it."""
        found = {x["canonical"]: x.get("content", "") for x in report["assets"]}
        listed = assets.to_dict()
        for file in listed.get("files", []):
            file["sha"] = (
                upstream.shas.get(file["canonical"] or "") or found[file["canonical"] or ""]
            )
        digests = upstream.digests or found
        failed = [x for x in report["assets"] if x["state"] == "failed"]
        problems = [f"{x['canonical']}: {x['error']['message']}" for x in failed]
        return problems + wrong_assets(listed, digests)  # type: ignore[arg-type]  # no sha is None

    def _tell(
        self,
        report: dict[str, Any],
        problems: Sequence[str],
        airflow: LocalAirflow,
        ports: dict[str, int],
    ) -> None:
        for problem in problems:
            self._say(f"MISSING  {problem}")
        counts = Counter((x["kind"], x["state"]) for x in report["assets"])
        total = sum(counts.values())
        copied = counts["image", "copied"] + counts["file", "copied"]
        if copied:
            self._say(
                f"copied {counts['image', 'copied']} images and {counts['file', 'copied']} files, "
                f"{report['sent'] / 1e6:.1f} MB"
            )
        else:
            self._say("copied nothing: everything was there already")
        if not problems:
            self._say(f"all {total} assets are in the mirror: every digest and SHA-256 read again")
        say(f"          images  http://127.0.0.1:{ports['registry']}/v2/_catalog")
        say(f"          files   http://127.0.0.1:{ports['s3']}/kops")
        say(f"          data    {self.directory}")

    def _keep_running(self, airflow: LocalAirflow) -> None:
        say(f"\nAirflow is at {airflow.url} (user admin, password admin). Ctrl-C stops everything.")
        while True:
            time.sleep(3600)


def _progress(instances: list[dict[str, Any]]) -> list[str]:
    """Return how far the copies are, as soon as it is known how many there are, and who waits."""
    told = []
    for kind in ("image", "file"):
        copies = [x for x in instances if x["task_id"] == f"copy_{kind}" and x["map_index"] >= 0]
        done = sum(x["state"] in ("success", "failed") for x in copies)
        if copies:
            told.append(f"{done} of {len(copies)} {kind}s done")
    waiting = Counter(x["task_id"] for x in instances if x["state"] == "up_for_retry")
    return told + [
        f"{count} {task} failed and will be tried again" for task, count in waiting.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
