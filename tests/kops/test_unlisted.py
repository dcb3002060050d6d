"""What a cluster uses and kOps does not list is found in its spec."""

from __future__ import annotations

import pytest

from kops_assets_provider.kops.assets import ClusterAssets, ImageAsset
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.kops.unlisted import unlisted_images

NOTHING = ClusterAssets(images=(), files=())


@pytest.fixture
def unlisted(manifest):
    """Return the unlisted images of the small cluster with those changes."""
    return lambda *objects, **changes: unlisted_images(
        load_cluster(manifest(*objects, **changes)), NOTHING
    )


def hook(image, **more):
    return {"name": "h", "execContainer": {"image": image, "command": ["sh"]}, **more}


@pytest.mark.parametrize(
    ("image", "pulled"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        (" alpine:3 ", "docker.io/library/alpine:3"),
        ("quay.io/a/b", "quay.io/a/b:latest"),
        ("quay.io/a/b:1", "quay.io/a/b:1"),
        ("quay.io/a/b@sha256:" + "0" * 64, "quay.io/a/b@sha256:" + "0" * 64),
    ],
)
def test_hooks_are_spelt_as_they_are_pulled(unlisted, image, pulled):
    """ctr gets no short name from nodeup: library and latest are written out."""
    assert unlisted(hooks=[hook(image)]) == [pulled]


@pytest.mark.parametrize(
    "hooks",
    [[hook("a", disabled=True)], [hook("a", enabled=False)], [hook(" ")], [{"manifest": "x"}], "x"],
)
def test_hooks_without_an_image_are_none(unlisted, hooks):
    """One that is switched off, that has no image, or that is a plain unit."""
    assert unlisted(hooks=hooks) == []


def test_instance_groups_count(unlisted):
    """Their hooks, their sandbox and what their warm pool pulls ahead."""
    groups = {
        "control-plane": {"role": "Master", "hooks": [hook("quay.io/a/b:1")]},
        "nodes": {
            "role": "Node",
            "containerd": {"sandboxImage": "quay.io/a/pause:1"},
            "warmPool": {"additionalImages": ["quay.io/a/ahead:1"]},
        },
    }
    assert unlisted(groups=groups) == ["quay.io/a/ahead:1", "quay.io/a/b:1", "quay.io/a/pause:1"]


def test_the_users_own_images_count(unlisted):
    """kOps lists the default in their place, or none."""
    components = ("kubeAPIServer", "kubeControllerManager", "kubeProxy", "kubeScheduler")
    changes = {name: {"image": f"quay.io/own/{name.lower()}:1"} for name in components}
    changes["containerd"] = {"sandboxImage": "quay.io/own/pause:1"}
    assert unlisted(**changes) == [
        "quay.io/own/kubeapiserver:1",
        "quay.io/own/kubecontrollermanager:1",
        "quay.io/own/kubeproxy:1",
        "quay.io/own/kubescheduler:1",
        "quay.io/own/pause:1",
    ]


def test_additional_objects_count(unlisted):
    """Their containers, at any depth, each image once."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    pod["spec"] = {"containers": [{"image": "quay.io/a/b:1"}, {"image": "quay.io/a/b:1"}]}
    assert unlisted(pod) == ["quay.io/a/b:1"]


def test_the_acme_solver_follows_its_controller(manifest):
    """Same registry, same tag; what is listed already is not added."""
    name = "quay.io/jetstack/cert-manager-controller:v1.19.5"
    listed = ClusterAssets(images=(ImageAsset(canonical=name, download=name),), files=())
    found = unlisted_images(load_cluster(manifest(kubeProxy={"image": name})), listed)
    assert found == ["quay.io/jetstack/cert-manager-acmesolver:v1.19.5"]
