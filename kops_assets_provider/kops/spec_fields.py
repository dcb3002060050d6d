"""
The spec fields that decide a cluster's assets, in their v1alpha2 spelling, with their types.

Everything else in a spec is ignored, as it has no influence on the list. A catalogue may only
speak of the fields named here, and a spec is checked against their types.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypeAlias


class Kind(StrEnum):
    """The type of a field or fact; the value completes the sentence "spec.x must be ..."."""

    TEXT = "text"
    FLAG = "true or false"
    NUMBER = "a whole number"
    BLOCK = "a mapping"
    LIST = "a list"
    VERSION = "a version"


_TYPES: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.FLAG: bool,
    Kind.NUMBER: int,
    Kind.BLOCK: dict,
    Kind.LIST: list,
}

Fields: TypeAlias = Mapping[str, Kind]


def _fields(leaves: Mapping[Kind, str]) -> Fields:
    fields: dict[str, Kind] = {}
    for kind, paths in leaves.items():
        for path in paths.split():
            fields[path] = kind
            parts = path.split(".")
            fields |= {".".join(parts[:n]): Kind.BLOCK for n in range(1, len(parts))}
    return fields


CLUSTER_FIELDS = _fields(
    {
        Kind.BLOCK: """
            authentication.kopeio networking.canal networking.classic networking.cni
            networking.external networking.flannel networking.gce networking.kopeio
            networking.kubenet networking.kuberouter networking.lyftvpc networking.romana
            networking.weave warmPool
            """,
        Kind.FLAG: """
            awsLoadBalancerController.enabled certManager.enabled certManager.managed
            cloudConfig.awsEBSCSIDriver.enabled cloudConfig.awsEBSCSIDriver.managed
            cloudConfig.gcpPDCSIDriver.enabled clusterAutoscaler.enabled containerd.installCriCtl
            containerd.installNerdCtl containerd.nvidiaGPU.dcgmExporter.enabled
            containerd.nvidiaGPU.enabled containerd.skipInstall externalDns.disable
            karpenter.enabled kubeDNS.nodeLocalDNS.enabled metricsServer.enabled
            networking.cilium.hubble.enabled nodeProblemDetector.enabled
            nodeTerminationHandler.enabled podIdentityWebhook.enabled snapshotController.enabled
            """,
        Kind.NUMBER: "networking.calico.typhaReplicas",
        Kind.LIST: "etcdClusters",
        Kind.TEXT: """
            assets.containerProxy assets.containerRegistry assets.fileRepository
            authentication.aws.image awsLoadBalancerController.version cloudProvider
            cloudConfig.awsEBSCSIDriver.version cloudConfig.gcpPDCSIDriver.version
            cloudConfig.openstack.blockStorage.csiPluginImage
            cloudControllerManager.azureNodeManagerImage cloudControllerManager.image
            clusterAutoscaler.image containerd.nvidiaGPU.image containerd.packages.hashAmd64
            containerd.packages.hashArm64 containerd.packages.urlAmd64
            containerd.packages.urlArm64 containerd.runc.packages.hashAmd64
            containerd.runc.packages.hashArm64 containerd.runc.packages.urlAmd64
            containerd.runc.packages.urlArm64 containerd.runc.version containerd.sandboxImage
            containerd.version externalDns.provider karpenter.image kubeDNS.coreDNSImage
            kubeDNS.cpaImage kubeDNS.nodeLocalDNS.image kubeDNS.provider kubeScheduler.image
            kubernetesVersion metricsServer.image networking.amazonvpc.imageName
            networking.amazonvpc.initImageName networking.amazonvpc.networkPolicyAgentImage
            networking.calico.registry networking.calico.version networking.cilium.chainingMode
            networking.cilium.registry networking.cilium.version networking.kindnet.version
            nodeProblemDetector.image nodeTerminationHandler.version topology.dns.type
            """,
    }
)
INSTANCE_GROUP_FIELDS = _fields(
    {Kind.BLOCK: "warmPool", Kind.FLAG: "containerd.nvidiaGPU.enabled", Kind.TEXT: "role"}
)
ETCD_CLUSTER_FIELDS = _fields({Kind.TEXT: "name version image manager.image"})


def value_at(spec: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path; None if it, or a block around it, is not set."""
    value: Any = spec
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def with_value(spec: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy of ``spec`` with another value at a dotted path; the original stays."""
    key, _, rest = path.partition(".")
    inner = with_value(spec.get(key) or {}, rest, value) if rest else value
    return {**spec, key: inner}


def type_problems(spec: Mapping[str, Any], fields: Fields, where: str) -> Iterator[str]:
    """Yield a sentence for every field of ``spec`` that has another type than kOps expects."""
    for path, kind in sorted(fields.items()):
        value = value_at(spec, path)
        # The very type: bool is an int in Python, but not in Go.
        if value is not None and type(value) is not _TYPES[kind]:
            yield f"{where}.{path} must be {kind.value}, not {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return json.dumps(value, default=str)
