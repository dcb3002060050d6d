"""A small cluster that kOps accepts, to be changed in one place per test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import load_release
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.kops.inventory import list_assets

GROUPS = {"control-plane": {"role": "Master"}, "nodes": {"role": "Node"}}
SPEC = {
    "cloudProvider": "aws",
    "kubernetesVersion": "1.35.2",
    "networking": {"cni": {}},
    "etcdClusters": [{"name": "main", "etcdMembers": [{"name": "a", "instanceGroup": "cp"}]}],
}


def _manifest(
    *objects: dict[str, Any],
    version: str = "v1alpha2",
    labels: dict[str, str] | None = None,
    groups: dict[str, dict[str, Any]] | None = None,
    **spec: Any,
) -> str:
    api = f"kops.k8s.io/{version}"
    metadata = {"name": "small.example.com", "labels": labels or {}}
    documents = [
        {"apiVersion": api, "kind": "Cluster", "metadata": metadata, "spec": {**SPEC, **spec}}
    ]
    for name, group in (GROUPS if groups is None else groups).items():
        meta = {"name": name, "labels": {"kops.k8s.io/cluster": "small.example.com"}}
        documents.append(
            {"apiVersion": api, "kind": "InstanceGroup", "metadata": meta, "spec": group}
        )
    return yaml.safe_dump_all([*documents, *objects])


@pytest.fixture
def manifest() -> Callable[..., str]:
    """Return the YAML of the small cluster: ``manifest(*objects, cloudProvider="gce", ...)``."""
    return _manifest


@pytest.fixture
def list_for(manifest: Callable[..., str]) -> Callable[..., ClusterAssets]:
    """Return what kOps 1.36.2 lists for the small cluster with those changes."""

    def list_for(*objects: dict[str, Any], **changes: Any) -> ClusterAssets:
        cluster = load_cluster(manifest(*objects, **changes))
        return list_assets(cluster, load_release("1.36.2"))

    return list_for


@pytest.fixture
def images_for(list_for: Callable[..., ClusterAssets]) -> Callable[..., set[str]]:
    """Return the canonical names of the images that the small cluster uses."""
    return lambda *objects, **changes: {i.canonical for i in list_for(*objects, **changes).images}


@pytest.fixture
def added_images(images_for: Callable[..., set[str]]) -> Callable[..., set[str]]:
    """Return the images that the small cluster uses only because of those changes."""

    def added(*objects: dict[str, Any], **changes: Any) -> set[str]:
        return images_for(*objects, **changes) - images_for()

    return added


@pytest.fixture
def files_for(list_for: Callable[..., ClusterAssets]) -> Callable[..., dict[str, str | None]]:
    """Return the files that the small cluster downloads: canonical URL to hash."""
    return lambda *objects, **changes: {
        f.canonical: f.sha for f in list_for(*objects, **changes).files
    }
