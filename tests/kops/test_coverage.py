"""No rule of a catalogue is there untried: each is reached by a golden cluster, or by one here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kops_assets_provider.exceptions import InvalidClusterError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import Release, known_releases, load_release
from kops_assets_provider.kops.cluster import Cluster, load_cluster, read_cluster
from kops_assets_provider.kops.inventory import list_assets

OURS = Path(__file__).parents[1] / "golden"
ALL = Path(__file__).parents[3] / "shared" / "golden"
SHA = "0" * 64
PACKAGES = {
    "urlAmd64": "https://h/amd",
    "hashAmd64": SHA,
    "urlArm64": "https://h/arm",
    "hashArm64": SHA,
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "x"},
    "spec": {"containers": [{"name": "x", "image": "example.com/x:1"}]},
}
# What our own golden clusters do not have; the rule tests beside this one tell what comes of it.
BY_HAND: list[dict[str, Any]] = [
    {"networking": {"cilium": {"hubble": {}}}, "externalDns": {"provider": "external-dns"}},
    *({"networking": {name: {}}} for name in ("flannel", "kindnet", "kopeio", "kuberouter")),
    {
        "networking": {"amazonvpc": {}},
        "authentication": {"aws": {}},
        "karpenter": {"enabled": True},
    },
    {
        name: {"enabled": True}
        for name in ("certManager", "metricsServer", "nodeProblemDetector", "podIdentityWebhook")
    },
    {"awsLoadBalancerController": {"enabled": True}, "snapshotController": {"enabled": True}},
    {"cloudProvider": "gce"},
    {"cloudProvider": "hetzner"},
    {"cloudProvider": "scaleway"},
    {"cloudProvider": "azure"},
    {"cloudProvider": "digitalocean"},
    {"cloudProvider": "openstack", "snapshotController": {"enabled": True}},
    {"cloudProvider": "gce", "kubernetesVersion": "https://k8s.example.com/v1.33.4"},
    {"kubeDNS": {"provider": "KubeDNS"}},
    {"authentication": {"kopeio": {}}},
    {"networking": {"calico": {"typhaReplicas": 2}}},
    {"containerd": {"nvidiaGPU": {"enabled": True, "dcgmExporter": {"enabled": True}}}},
    {"containerd": {"installNerdCtl": True, "installCriCtl": True}},
    {"containerd": {"packages": PACKAGES}},
    {"containerd": {"version": "1.7.0", "runc": {"packages": PACKAGES}}},
    {
        "containerd": {
            "version": "1.5.0",
            "packages": {key: PACKAGES[key] for key in ("urlArm64", "hashArm64")},
            "runc": {"version": "1.1.0"},
        }
    },
    *({"kubernetesVersion": f"1.{minor}.0"} for minor in range(29, 37)),
    *(
        {"clusterAutoscaler": {"enabled": True}, "kubernetesVersion": f"1.{minor}.0"}
        for minor in range(29, 37)
    ),
    {"cloudProvider": "openstack", "networking": {"calico": {}}, "kubernetesVersion": "1.27.1"},
]
REFUSED: list[dict[str, Any]] = [
    {"networking": {"weave": {}}},
    {"cloudProvider": "gce", "networking": {"amazonvpc": {}}},
    {"cloudProvider": "linode"},
    {"cloudConfig": {"awsEBSCSIDriver": {"enabled": False}}},
    {"karpenter": {"enabled": True}, "nodeTerminationHandler": {}},
    {
        "groups": {
            "cp": {"role": "Master"},
            "gpu": {"role": "Node", "containerd": {"nvidiaGPU": {"enabled": True}}},
        }
    },
    {"kubernetesVersion": "1.28.0"},
    {"containerd": {"version": "1.3.0"}},
    {"containerd": {"version": "1.5.0", "runc": {"version": "1.1.0"}}},
    {"containerd": {"version": "1.7.0"}},
    {"containerd": {"version": "1.7.0", "runc": {"version": "1.0.0"}}},
    {"containerd": {"version": "x", "packages": PACKAGES, "runc": {"version": "1.1.0"}}},
]
# Rules of a release, and how many of them no golden cluster reaches.
COUNTS = {"1.34.3": (166, 51), "1.35.2": (168, 53), "1.36.2": (161, 56)}


def golden(folder: Path, release: str) -> Iterator[Cluster]:
    return (read_cluster(file) for file in sorted(folder.glob(f"{release}/specs/*.yaml")))


def parts(release: Release) -> Iterator[tuple[str, Release]]:
    """Yield each rule with the release that has no image, file or refusal but those of the rule."""
    bare = replace(release, refusals=(), images=(), files=())
    for number, refusal in enumerate(release.refusals):
        yield f"refusals[{number}]", replace(bare, refusals=(refusal,))
    for number, entry in enumerate(release.images):
        for place, image in enumerate(entry.rules):
            only = replace(entry, rules=(image,))
            yield f"images[{number}][{place}]", replace(bare, images=(only,))
    for number, files in enumerate(release.files):
        for place, file in enumerate(files.rules):
            yield (
                f"files[{number}][{place}]",
                replace(bare, files=(replace(files, rules=(file,)),)),
            )


def outcome(cluster: Cluster, release: Release) -> ClusterAssets | None:
    """Return the list; None if the cluster is refused, or a rule lacks what a default gives."""
    try:
        return list_assets(cluster, release, lambda _: None, any_kubernetes_version=True)
    except InvalidClusterError:
        return None


def matters(cluster: Cluster, release: Release, name: str, part: Release) -> bool:
    """Tell whether a cluster reaches a rule."""
    alone = outcome(cluster, part)
    if name.startswith("refusals"):
        return alone is None
    return alone is not None and bool(alone.images or alone.files)


def unreached(release: Release, clusters: Iterable[Cluster]) -> set[str]:
    """Return the rules, defaults among them, that none of the clusters reaches."""
    left = dict(parts(release))
    defaults = set(range(len(release.defaults)))
    for cluster in clusters:
        left = {n: part for n, part in left.items() if not matters(cluster, release, n, part)}
        usual = outcome(cluster, release)
        for number in sorted(defaults):
            rest = release.defaults[:number] + release.defaults[number + 1 :]
            if outcome(cluster, replace(release, defaults=rest)) != usual:
                defaults.remove(number)
    return set(left) | {f"defaults[{number}]" for number in defaults}


# The patch releases between them have other values, and the same rules.
@pytest.mark.parametrize("release", ["1.34.0", "1.34.2", "1.35.0", "1.35.1", known_releases()[-1]])
def test_every_rule_is_reached(manifest: Callable[..., str], release: str) -> None:
    """Our own golden clusters and those made by hand reach all of a catalogue."""
    minor = release.rpartition(".")[0]
    (specs,) = (folder.name for folder in OURS.glob(f"{minor}.*"))
    changes = ({"kubernetesVersion": "1.33.4", **change} for change in BY_HAND + REFUSED)
    clusters = [
        *golden(OURS, specs),
        *(load_cluster(manifest(**change)) for change in changes),
        load_cluster(manifest(POD, warmPool={})),
    ]
    assert unreached(load_release(release), clusters) == set()


@pytest.mark.long
@pytest.mark.parametrize("release", COUNTS)
def test_how_many_rules_no_golden_cluster_reaches(release: str) -> None:
    """The numbers tell how much hangs on the clusters that are made by hand."""
    assert ALL.is_dir(), f"kOps' own test clusters belong in {ALL}"
    loaded = load_release(release)
    count = len(list(parts(loaded))) + len(loaded.defaults)
    assert (count, len(unreached(loaded, golden(ALL, release)))) == COUNTS[release]
