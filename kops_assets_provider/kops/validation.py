"""
What kOps would not accept in a Cluster or InstanceGroup document, as far as the assets go.

The rules of a single release are refusals in its catalogue; those here hold for all of them.
Rules: ``pkg/apis/kops/validation``, ``pkg/apis/kops/v1alpha2/conversion.go``, v1.36.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from kops_assets_provider.kops.semver import parse_kubernetes_version
from kops_assets_provider.kops.spec_fields import (
    CLUSTER_FIELDS,
    ETCD_CLUSTER_FIELDS,
    INSTANCE_GROUP_FIELDS,
    type_problems,
    value_at,
)

CLOUDS = ("aws", "azure", "digitalocean", "gce", "hetzner", "linode", "openstack", "scaleway")
METAL = "metal"
_ROLES = ("APIServer", "Bastion", "ControlPlane", "Master", "Node")
_CONTROL_PLANE = {"Master", "ControlPlane"}
_CLUSTER_LABEL = "kops.k8s.io/cluster"
# Blocks that kOps takes from one cloud's cluster only.
_CLOUD_BLOCKS = {
    "awsLoadBalancerController": "aws",
    "cloudConfig.awsEBSCSIDriver": "aws",
    "cloudConfig.gcpPDCSIDriver": "gce",
    "nodeTerminationHandler": "aws",
    "podIdentityWebhook": "aws",
    "warmPool": "aws",
}
_NETWORKS = sorted(
    path for path in CLUSTER_FIELDS if path.startswith("networking.") and path.count(".") == 1
)


def spec_problems(spec: Mapping[str, Any], cloud: object) -> Iterator[str]:
    """Yield what is wrong with a Cluster's spec, in v1alpha2's spelling."""
    types = list(type_problems(spec, CLUSTER_FIELDS, "spec"))
    yield from types
    if not types:
        yield from _cloud_problems(spec, str(cloud))
        yield from _network_problems(spec)
        yield from _version_problems(spec)
        yield from _etcd_problems(spec)
        yield from _location_problems(spec)


def _cloud_problems(spec: Mapping[str, Any], cloud: str) -> Iterator[str]:
    if cloud == METAL and spec.get("cloudProvider"):
        yield f"a metal cluster cannot have spec.cloudProvider {spec['cloudProvider']!r}"
    elif not cloud:
        yield f"spec.cloudProvider is not set; it must be one of {', '.join(CLOUDS)}"
    elif cloud not in (*CLOUDS, METAL):
        yield f"spec.cloudProvider {cloud!r} is not one of {', '.join(CLOUDS)}"
    for path, only in _CLOUD_BLOCKS.items():
        if value_at(spec, path) is not None and cloud != only:
            yield f"spec.{path} is for {only} clusters only"


def _network_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    chosen = [path for path in _NETWORKS if value_at(spec, path) is not None]
    if len(chosen) > 1:
        yield f"only one networking option is permitted, and there are {', '.join(chosen)}"


def _version_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    version = spec.get("kubernetesVersion")
    if not version:
        yield "spec.kubernetesVersion is not set"
    elif parse_kubernetes_version(version) is None:
        yield f"spec.kubernetesVersion {version!r} is no version"


def _etcd_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    if not spec.get("etcdClusters"):
        yield "spec.etcdClusters is empty"
    for number, etcd in enumerate(spec.get("etcdClusters") or []):
        where = f"spec.etcdClusters[{number}]"
        if isinstance(etcd, dict):
            yield from type_problems(etcd, ETCD_CLUSTER_FIELDS, where)
        else:
            yield f"{where} must be a mapping"


def _location_problems(spec: Mapping[str, Any]) -> Iterator[str]:
    registry = value_at(spec, "assets.containerRegistry")
    proxy = value_at(spec, "assets.containerProxy")
    repository = value_at(spec, "assets.fileRepository")
    if registry is not None and proxy is not None:
        yield "spec.assets.containerProxy cannot be used together with containerRegistry"
    for key, value in (("containerRegistry", registry), ("containerProxy", proxy)):
        if value == "":
            yield f"spec.assets.{key} is empty"
    if repository is not None and not _is_http(repository):
        yield f"spec.assets.fileRepository {repository!r} is not an http or https URL with a host"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    clean = url.isprintable() and " " not in url
    return clean and parts.scheme in {"http", "https"} and bool(parts.hostname)


def group_problems(cluster: str, groups: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is wrong with the InstanceGroup documents of a cluster."""
    roles = []
    names: set[str] = set()
    for group in groups:
        name, spec = group["metadata"]["name"], group.get("spec") or {}
        where = f"InstanceGroup {name}"
        yield from type_problems(spec, INSTANCE_GROUP_FIELDS, f"{where}: spec")
        label = (value_at(group, "metadata.labels") or {}).get(_CLUSTER_LABEL)
        if label not in (None, cluster):
            yield f"{where} belongs to the cluster {label}, not to {cluster}"
        if spec.get("role") not in _ROLES:
            yield f"{where}: spec.role must be one of {', '.join(_ROLES)}"
        if name in names:
            yield f"{where} occurs twice"
        names.add(name)
        roles.append(spec.get("role"))
    yield from _role_problems(roles)


def _role_problems(roles: list[Any]) -> Iterator[str]:
    # DeepValidate in pkg/apis/kops/validation/legacy.go, v1.36.2.
    control_planes = sum(role in _CONTROL_PLANE for role in roles if isinstance(role, str))
    if not roles:
        yield "there is no InstanceGroup document"
    elif not control_planes:
        yield "there is no InstanceGroup for the control plane"
    elif control_planes == len(roles):
        yield "there is no InstanceGroup for nodes"
