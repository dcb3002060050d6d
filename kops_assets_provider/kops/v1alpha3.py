"""
A v1alpha3 Cluster spec in the v1alpha2 spelling, as far as the assets are concerned.

kOps stores v1alpha2, and ``kops get assets`` reads what is stored. A field that v1alpha2 lacks
(``binariesLocation``) is lost on that way and has no influence here either.
Rule: ``pkg/apis/kops/v1alpha2/conversion.go``, v1.36.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kops_assets_provider.kops.spec_fields import value_at, with_value

_MOVES = {
    "cloudProvider.aws.ebsCSIDriver": "cloudConfig.awsEBSCSIDriver",
    "cloudProvider.aws.loadBalancerController": "awsLoadBalancerController",
    "cloudProvider.aws.nodeTerminationHandler": "nodeTerminationHandler",
    "cloudProvider.aws.podIdentityWebhook": "podIdentityWebhook",
    "cloudProvider.aws.warmPool": "warmPool",
    "cloudProvider.gce.pdCSIDriver": "cloudConfig.gcpPDCSIDriver",
    "cloudProvider.openstack.blockStorage": "cloudConfig.openstack.blockStorage",
    "externalDNS": "externalDns",
    "networking.amazonVPC": "networking.amazonvpc",
    "networking.amazonVPC.image": "networking.amazonvpc.imageName",
    "networking.amazonVPC.initImage": "networking.amazonvpc.initImageName",
    "networking.gcp": "networking.gce",
    "networking.kubeRouter": "networking.kuberouter",
    "networking.topology.dns": "topology.dns.type",
}
_CLOUDS = {"do": "digitalocean"}


def to_v1alpha2(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the spec in v1alpha2's spelling, and what is wrong with its cloudProvider."""
    problems: list[str] = []
    moved = dict(spec)
    for old, new in _MOVES.items():
        value = value_at(spec, old)
        # v1alpha2's spelling means nothing in v1alpha3, so what stands there goes.
        if value is not None or value_at(moved, new) is not None:
            moved = with_value(moved, new, value)
    moved["cloudProvider"] = _cloud(spec.get("cloudProvider"), problems)
    return moved, problems


def _cloud(provider: object, problems: list[str]) -> str | None:
    if not isinstance(provider, dict | None):
        problems.append("spec.cloudProvider must be a mapping in v1alpha3")
        return None
    clouds = sorted(key for key, value in (provider or {}).items() if value is not None)
    if len(clouds) > 1:
        problems.append(f"spec.cloudProvider has more than one cloud: {', '.join(clouds)}")
    return _CLOUDS.get(clouds[0], clouds[0]) if clouds else None
