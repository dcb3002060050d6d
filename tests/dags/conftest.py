"""A small cluster with stand-ins for all that it downloads, and a mirror on this machine."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from kops_assets_provider.mirror.lists.get_list import list_cluster
from tests.airflow_versions import dag_bag
from tests.support.file_server import FileServer
from tests.support.images import put_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.upstream import Upstream

SPEC = """\
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {{name: small.example.com}}
spec:
  cloudProvider: hetzner
  kubernetesVersion: 1.35.2
  networking: {{cilium: {{}}}}
  etcdClusters: [{{name: main, etcdMembers: [{{instanceGroup: control-plane, name: a}}]}}]
  assets:
    containerRegistry: {registry}/kops
    fileRepository: https://files.example.com/kops
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {{name: control-plane, labels: {{kops.k8s.io/cluster: small.example.com}}}}
spec: {{role: Master, machineType: cx22, image: x}}
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {{name: nodes, labels: {{kops.k8s.io/cluster: small.example.com}}}}
spec: {{role: Node, machineType: cx22, image: x}}
"""


@dataclass
class Mirror:
    """Where everything is, and the options of a DAG that copies it."""

    source: OciRegistryServer
    source_files: FileServer
    target: OciRegistryServer
    target_files: Path
    upstream: Upstream
    assets: dict
    options: dict


@pytest.fixture
def dags(airflow_db):
    """The DAGs that the repository ships, by id: new ones, since a conf stays with its DAG."""
    bag = dag_bag(str(Path(__file__).parent.parent.parent / "dags"))
    assert bag.import_errors == {}
    return bag.dags


@pytest.fixture
def mirror(tmp_path):
    files = tmp_path / "upstream"
    files.mkdir()
    with OciRegistryServer() as source, OciRegistryServer() as target, FileServer(files) as server:
        spec = tmp_path / "cluster.yaml"
        spec.write_text(SPEC.format(registry=target.host))
        assets = list_cluster(str(spec), "1.36.2", fetch_hashes=False).assets
        upstream = Upstream()
        upstream.add_images(
            [x.canonical for x in assets.images],
            source.host,
            lambda repository, tag, image: put_image(source, f"{repository}:{tag}", image),
            layer_bytes=1000,
        )
        upstream.add_files(
            [x.canonical for x in assets.files], files, server.url, file_bytes=100_000
        )
        upstream.write_shas(tmp_path / "shas.json")
        options = {
            "cluster_spec": str(spec),
            "kops_version": "1.36.2",
            "sha_file": str(tmp_path / "shas.json"),
            "source_rewrites": upstream.rewrites,
            "file_targets": {"https://files.example.com/kops": str(tmp_path / "mirror")},
        }
        yield Mirror(
            source,
            server,
            target,
            tmp_path / "mirror",
            upstream,
            json.loads(assets.to_json()),
            options,
        )


@pytest.fixture
def few(mirror, tmp_path):
    """Some of the cluster's assets, from a saved list: each copy takes a quarter of a second."""
    ends = {"images": ("/channels:1.36.2", "/dns-controller:1.36.2"), "files": ("/kubelet",)}
    mirror.assets = {
        kind: [x for x in mirror.assets[kind] if x["canonical"].endswith(end)]
        for kind, end in ends.items()
    }
    assert all(mirror.assets.values())
    for file in mirror.assets["files"]:
        file["sha"] = mirror.upstream.shas[file["canonical"]]
    path = tmp_path / "few.json"
    path.write_text(
        json.dumps({"cluster": "small.example.com", "kops_version": "1.36.2", **mirror.assets})
    )
    mirror.options |= {"asset_list": str(path), "cluster_spec": "", "sha_file": None}
    return mirror
