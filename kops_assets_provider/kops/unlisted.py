"""
What a cluster uses and ``kops get assets`` does not list.

kOps registers images where it builds its own manifests. What else a spec names is pulled by that
very name: hooks (``nodeup/pkg/model/hooks.go``), the user's own kube-* and sandbox images, what a
warm pool pulls ahead (``pkg/nodemodel/nodeupconfigbuilder.go``), additional objects, and the image
that cert-manager starts by itself, an argument in kOps' addon template. All as of v1.36.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.cluster import Cluster
from kops_assets_provider.kops.spec_fields import value_at

_USERS_OWN = (
    "kubeAPIServer.image",
    "kubeControllerManager.image",
    "kubeProxy.image",
    "kubeScheduler.image",
    "containerd.sandboxImage",
)
_CERT_MANAGER = re.compile(r"(.+/cert-manager-)controller(:.+)")


def unlisted_images(cluster: Cluster, assets: ClusterAssets) -> list[str]:
    """Return the images that the cluster uses beyond ``assets``, sorted, each once."""
    listed = {image.canonical for image in assets.images}
    return sorted({*_of_specs(cluster), *cluster.additional_images(), *_solvers(listed)} - listed)


def _of_specs(cluster: Cluster) -> Iterator[str]:
    for spec in (cluster.spec, *(group.spec for group in cluster.instance_groups)):
        yield from _hook_images(spec)
        ahead = value_at(spec, "warmPool.additionalImages")
        named = [value_at(spec, path) for path in _USERS_OWN]
        yield from filter(_is_name, named + (ahead if isinstance(ahead, list) else []))


def _hook_images(spec: Mapping[str, Any]) -> Iterator[str]:
    hooks = spec.get("hooks")
    for hook in hooks if isinstance(hooks, list) else []:
        image = value_at(hook, "execContainer.image")
        # v1alpha2 spells it "disabled", v1alpha3 "enabled".
        off = value_at(hook, "disabled") is True or value_at(hook, "enabled") is False
        if _is_name(image) and not off:
            yield _as_ctr_pulls(image.strip())


def _as_ctr_pulls(image: str) -> str:
    """Spell out a short name as ``buildContainerdService`` does."""
    name = image if "/" in image else f"docker.io/library/{image}"
    return name if ":" in name else f"{name}:latest"


def _solvers(listed: set[str]) -> Iterator[str]:
    for name in listed:
        if match := _CERT_MANAGER.fullmatch(name):
            yield f"{match[1]}acmesolver{match[2]}"


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
