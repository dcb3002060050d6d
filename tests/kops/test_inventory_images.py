"""
Rule by rule: which images a field adds to the list of kOps 1.36.2, or takes from it.

The expected images and URLs were read in kOps' tree (addon templates, pkg/model/components and
pkg/nodemodel at tag v1.36.2), mostly for rules that no golden cluster reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Images = Callable[..., set[str]]
Files = Callable[..., dict[str, str | None]]

K8S = "registry.k8s.io"
STORAGE = f"{K8S}/sig-storage"
GROUPS = {"control-plane": {"role": "Master"}, "nodes": {"role": "Node"}}


def storage(text: str) -> set[str]:
    return {f"{STORAGE}/{image}" for image in text.split()}


@pytest.mark.parametrize(
    ("cloud", "expected"),
    [
        (
            "digitalocean",
            {
                "alpine:3",
                "digitalocean/digitalocean-cloud-controller-manager:v0.1.45",
                "digitalocean/do-csi-plugin:v4.16.0",
            }
            | storage(
                "csi-provisioner:v6.1.0 csi-attacher:v4.10.0 csi-snapshotter:v8.4.0 "
                "csi-resizer:v2.0.0 csi-node-driver-registrar:v2.15.0 snapshot-controller:v8.4.0"
            ),
        ),
        (
            "scaleway",
            {
                "scaleway/scaleway-cloud-controller-manager:latest",
                "scaleway/scaleway-csi:v0.2.0",
            }
            | storage(
                "csi-node-driver-registrar:v2.0.1 livenessprobe:v2.2.0 livenessprobe:v2.6.0 "
                "csi-provisioner:v3.0.0 csi-attacher:v3.4.0 csi-snapshotter:v4.2.1 "
                "snapshot-controller:v4.1.1 csi-resizer:v1.3.0"
            ),
        ),
        (
            "openstack",
            {
                f"{K8S}/provider-os/openstack-cloud-controller-manager:v1.35.0",
                f"{K8S}/provider-os/cinder-csi-plugin:v1.35.0",
            }
            | storage(
                "csi-attacher:v4.10.0 csi-provisioner:v5.3.0 csi-resizer:v1.14.0 "
                "livenessprobe:v2.17.0 csi-node-driver-registrar:v2.15.0"
            ),
        ),
        (
            "azure",
            {
                f"mcr.microsoft.com/oss/v2/kubernetes{image}"
                for image in (
                    "/azure-cloud-controller-manager:v1.36.2",
                    "/azure-cloud-node-manager:v1.36.2",
                    "-csi/csi-provisioner:v6.2.0",
                    "-csi/csi-attacher:v4.11.0",
                    "-csi/csi-snapshotter:v8.5.0",
                    "-csi/csi-resizer:v2.1.0",
                    "-csi/livenessprobe:v2.18.0",
                    "-csi/azuredisk-csi:v1.34.4",
                    "-csi/csi-node-driver-registrar:v2.16.0",
                )
            },
        ),
        ("linode", set()),
    ],
)
def test_images_of_a_cloud(images_for: Images, cloud: str, expected: set[str]) -> None:
    """A cloud adds its controller manager and storage driver; Linode's default is not used."""
    every_cloud = images_for() & images_for(cloudProvider="hetzner")
    assert images_for(cloudProvider=cloud) - every_cloud == expected


def test_metal_has_no_cloud(images_for: Images, files_for: Files) -> None:
    """A metal cluster is marked by a label and adds nothing."""
    metal = {"cloudProvider": None, "labels": {"alpha.kops.k8s.io/cloud": "metal"}}
    assert images_for(**metal) == images_for(cloudProvider="linode")
    assert files_for(**metal) == files_for(cloudProvider="linode")


@pytest.mark.parametrize("cloud", ["linode", "azure"])
def test_files_need_a_bootstrap_script(files_for: Files, cloud: str) -> None:
    """On Linode no instance group gets a script, so only kOps' own files are listed."""
    names = {url.rpartition("/")[2] for url in files_for(cloudProvider=cloud)}
    own = {"nodeup", "protokube"}
    assert (names == own) is (cloud == "linode")
    assert own <= names


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"kubeDNS": {"provider": "CoreDNS"}}, set()),
        (
            {"kubeDNS": {"provider": "KubeDNS"}},
            {
                f"{K8S}/k8s-dns-kube-dns:1.15.13",
                f"{K8S}/k8s-dns-dnsmasq-nanny:1.15.13",
                f"{K8S}/k8s-dns-sidecar:1.15.13",
                f"{K8S}/cpa/cluster-proportional-autoscaler:v1.8.8",
            },
        ),
        (
            {"kubeDNS": {"nodeLocalDNS": {"enabled": True}}},
            {f"{K8S}/dns/k8s-dns-node-cache:1.26.0"},
        ),
        ({"kubeDNS": {"nodeLocalDNS": {"enabled": True, "image": "mine:1"}}}, {"mine:1"}),
        ({"kubeDNS": {"coreDNSImage": "a:1", "cpaImage": "b:1"}}, {"a:1", "b:1"}),
        (
            {"externalDns": {"provider": "external-dns"}},
            {f"{K8S}/external-dns/external-dns:v0.14.1"},
        ),
        ({"externalDns": {"disable": True}}, set()),
        (
            {"clusterAutoscaler": {"enabled": True}},
            {f"{K8S}/autoscaling/cluster-autoscaler:v1.35.1"},
        ),
        ({"clusterAutoscaler": {"image": "mine:1"}}, set()),
        ({"metricsServer": {"enabled": True}}, {f"{K8S}/metrics-server/metrics-server:v0.8.0"}),
        (
            {"certManager": {"enabled": True, "image": "ignored:1"}},
            {
                f"quay.io/jetstack/cert-manager-{name}:v1.19.5"
                for name in ("cainjector", "controller", "webhook")
            },
        ),
        ({"certManager": {"enabled": True, "managed": False}}, set()),
        (
            {"snapshotController": {"enabled": True}},
            storage(
                "snapshot-controller:v6.0.1 snapshot-validation-webhook:v6.0.1 "
                "csi-snapshotter:v8.5.0"
            ),
        ),
        ({"nodeProblemDetector": {}}, set()),
        (
            {"nodeProblemDetector": {"enabled": True}},
            {f"{K8S}/node-problem-detector/node-problem-detector:v0.8.18"},
        ),
        ({"karpenter": {"enabled": True}}, {"public.ecr.aws/karpenter/controller:1.13.0"}),
        ({"authentication": {"kopeio": {}}}, {"kopeio/auth-api:1.0.20171125"}),
        (
            {"authentication": {"aws": {}}},
            {"public.ecr.aws/eks-distro/kubernetes-sigs/aws-iam-authenticator:v0.6.20-eks-1-30-7"},
        ),
        ({"authentication": {"aws": {"image": "mine:1"}}}, {"mine:1"}),
        (
            {"awsLoadBalancerController": {"enabled": True}},
            {"public.ecr.aws/eks/aws-load-balancer-controller:v3.3.0"},
        ),
        (
            {"podIdentityWebhook": {"enabled": True}},
            {"amazon/amazon-eks-pod-identity-webhook:v0.5.7"},
        ),
        (
            {"nodeTerminationHandler": {"version": "v9"}},
            {"public.ecr.aws/aws-ec2/aws-node-termination-handler:v9"},
        ),
        (
            {"cloudConfig": {"awsEBSCSIDriver": {"version": "v9"}}},
            {f"{K8S}/provider-aws/aws-ebs-csi-driver:v9"},
        ),
        ({"cloudControllerManager": {"image": "mine:1"}}, {"mine:1"}),
        (
            {
                "etcdClusters": [
                    {"name": "main", "manager": {"image": "mine:1"}},
                    {"name": "events"},
                ]
            },
            {"mine:1"},
        ),
        ({"kubeAPIServer": {"image": "mine:1"}, "kubeProxy": {"image": "mine:2"}}, set()),
        ({"networking": {"kuberouter": {}}}, {"docker.io/cloudnativelabs/kube-router:v2.10.0"}),
        ({"networking": {"kopeio": {}}}, {"kopeio/networking-agent:1.0.20181028"}),
        ({"networking": {"gce": {}}}, set()),
        ({"networking": {"kubenet": {}}}, set()),
        ({"networking": {"kindnet": {"version": "v9"}}}, {f"{K8S}/networking/kindnet:v9"}),
        (
            {"networking": {"calico": {"typhaReplicas": 3, "registry": "r", "version": "v9"}}},
            {f"r/calico/{name}:v9" for name in ("cni", "node", "kube-controllers", "typha")},
        ),
        (
            {"networking": {"calico": {"typhaReplicas": 0}}},
            {f"docker.io/calico/{name}:v3.31.3" for name in ("cni", "node", "kube-controllers")},
        ),
        (
            {"networking": {"cilium": {"hubble": {}, "registry": "r", "version": "v9"}}},
            {f"r/cilium/{name}:v9" for name in ("cilium", "operator", "hubble-relay")},
        ),
        (
            {"networking": {"cilium": {"hubble": {"enabled": False}}}},
            {f"quay.io/cilium/{name}:v1.18.6" for name in ("cilium", "operator")},
        ),
        (
            {"networking": {"amazonvpc": {"imageName": "a", "initImageName": "b"}}},
            {
                "a",
                "b",
                "602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/"
                "aws-network-policy-agent:v1.3.2",
            },
        ),
        (
            {"containerd": {"nvidiaGPU": {"enabled": True}}},
            {"nvcr.io/nvidia/k8s-device-plugin:v0.17.3"},
        ),
        (
            {"containerd": {"nvidiaGPU": {"enabled": True, "dcgmExporter": {"enabled": True}}}},
            {
                "nvcr.io/nvidia/k8s-device-plugin:v0.17.3",
                "nvcr.io/nvidia/k8s/dcgm-exporter:2.4.6-2.6.10-ubuntu20.04",
            },
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_images_that_a_field_adds(added_images: Images, spec: Any, expected: set[str]) -> None:
    """A field adds exactly these images to an AWS cluster."""
    assert added_images(**spec) == expected


@pytest.mark.parametrize(
    ("spec", "gone"),
    [
        ({"kubeScheduler": {"image": "mine:1"}}, {f"{K8S}/kube-scheduler:v1.35.2"}),
        ({"containerd": {"sandboxImage": "mine:1"}}, {f"{K8S}/pause:3.10.1"}),
        ({"topology": {"dns": {"type": "None"}}}, {f"{K8S}/kops/dns-controller:1.36.2"}),
        ({"externalDns": {"disable": True}}, {f"{K8S}/kops/dns-controller:1.36.2"}),
        (
            {"externalDns": {"provider": "external-dns", "disable": True}},
            {f"{K8S}/kops/dns-controller:1.36.2"},
        ),
        (
            {"nodeTerminationHandler": {"enabled": False}},
            {"public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.5"},
        ),
        (
            {"karpenter": {"enabled": True}},
            {"public.ecr.aws/aws-ec2/aws-node-termination-handler:v1.25.5"},
        ),
        (
            {"cloudConfig": {"awsEBSCSIDriver": {"managed": False}}},
            {f"{K8S}/provider-aws/aws-ebs-csi-driver:v1.58.0"}
            | storage(
                "csi-node-driver-registrar:v2.16.0 livenessprobe:v2.18.0 csi-provisioner:v6.2.0 "
                "csi-attacher:v4.11.0 csi-resizer:v2.1.0"
            ),
        ),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_images_that_a_field_takes_away(images_for: Images, spec: Any, gone: set[str]) -> None:
    """A field makes exactly these images needless; a user's scheduler or pause is not listed."""
    assert images_for() - images_for(**spec) == gone


@pytest.mark.parametrize(
    ("version", "tag"),
    [("1.31.1", "1.31.5"), ("1.32.0", "1.32.7"), ("1.33.0", "1.33.5"), ("1.34.9", "1.34.4"),
     ("1.35.0", "1.35.1"), ("1.36.0-rc.1", "1.36.0")],
)  # fmt: skip
def test_cluster_autoscaler_follows_kubernetes(images_for: Images, version: str, tag: str) -> None:
    """The autoscaler's image belongs to the minor version of Kubernetes."""
    images = images_for(kubernetesVersion=version, clusterAutoscaler={"enabled": True})
    assert f"{K8S}/autoscaling/cluster-autoscaler:v{tag}" in images


@pytest.mark.parametrize(
    ("version", "containerd", "listed"),
    [
        ("1.32.9", None, True),
        ("1.33.0-beta.0", None, False),
        ("1.33.0", {"version": "2.1.0", "runc": {"version": "1.3.5"}}, False),
        ("1.33.0", {"version": "2.1.0-rc.1", "runc": {"version": "1.3.5"}}, True),
        ("1.33.0", {"version": "2.0.5", "runc": {"version": "1.3.5"}}, True),
        ("1.33.0", {"version": "nightly", "skipInstall": True}, True),
        ("1.33.0", {"skipInstall": True}, False),
    ],
)
def test_utils_image_without_image_volumes(
    images_for: Images, version: str, containerd: Any, *, listed: bool
) -> None:
    """kops-utils-cp is needed below Kubernetes 1.33 or containerd 2.1, or if that is unknown."""
    images = images_for(kubernetesVersion=version, containerd=containerd)
    assert (f"{K8S}/kops/kops-utils-cp:1.36.2" in images) is listed


def test_pre_release_is_kept_in_names(images_for: Images, files_for: Files) -> None:
    """Gates ignore a pre-release, tags and URLs do not; a leading v is dropped."""
    assert f"{K8S}/kube-proxy:v1.36.0-rc.1" in images_for(kubernetesVersion="v1.36.0-rc.1")
    kubelet = "https://dl.k8s.io/release/v1.36.0-rc.1/bin/linux/arm64/kubelet"
    assert kubelet in files_for(kubernetesVersion="v1.36.0-rc.1")


def test_gce_drivers(images_for: Images) -> None:
    """GCE's disk driver can be turned off, and another version chosen."""
    driver = f"{K8S}/cloud-provider-gcp/gcp-compute-persistent-disk-csi-driver"
    default = images_for(cloudProvider="gce")
    assert f"{driver}:v1.22.1" in default
    off = {"gcpPDCSIDriver": {"enabled": False}}
    assert len(default - images_for(cloudProvider="gce", cloudConfig=off)) == 6
    other = {"gcpPDCSIDriver": {"version": "v9"}}
    assert f"{driver}:v9" in images_for(cloudProvider="gce", cloudConfig=other)


def test_openstack_images_of_the_user(images_for: Images) -> None:
    """OpenStack's two images may be the user's, and snapshots add one more."""
    images = images_for(
        cloudProvider="openstack",
        cloudControllerManager={"image": "a:1"},
        cloudConfig={"openstack": {"blockStorage": {"csiPluginImage": "b:1"}}},
        snapshotController={"enabled": True},
    )
    assert {"a:1", "b:1", f"{STORAGE}/csi-snapshotter:v8.4.0"} <= images
    assert not any("provider-os" in image for image in images)


def test_azure_node_manager_of_the_user(images_for: Images) -> None:
    """Azure's node manager image may be the user's."""
    images = images_for(
        cloudProvider="azure", cloudControllerManager={"azureNodeManagerImage": "mine:1"}
    )
    assert "mine:1" in images
    assert not any("azure-cloud-node-manager" in image for image in images)


def nvidia_group(*, enabled: bool) -> dict[str, Any]:
    group = {"role": "Node", "containerd": {"nvidiaGPU": {"enabled": enabled}}}
    return {**GROUPS, "gpu": group}


@pytest.mark.parametrize(
    ("block", "enabled", "expected"),
    [
        ({"enabled": False}, True, set()),
        ({"enabled": False, "image": "mine:1"}, True, {"mine:1"}),
        ({"enabled": False, "image": "mine:1"}, False, set()),
        ({"enabled": True}, False, {"nvcr.io/nvidia/k8s-device-plugin:v0.17.3"}),
    ],
)
def test_nvidia_of_an_instance_group(
    added_images: Images, block: Any, *, enabled: bool, expected: set[str]
) -> None:
    """A group can turn the addon on; the default image comes only with the cluster's block."""
    groups = nvidia_group(enabled=enabled)
    assert added_images(containerd={"nvidiaGPU": block}, groups=groups) == expected


def addon(name: str) -> dict[str, Any]:
    pod = {"containers": [{"image": "user/pod:1"}], "initContainers": [{"image": "user/init:1"}]}
    labels = {"addon.kops.k8s.io/name": name}
    metadata = {"name": "x", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("networking.cilium.io", {"networking": {"cilium": {"hubble": {}}}}),
        ("networking.kope.io", {"networking": {"kopeio": {}}}),
    ],
)
def test_additional_object_replaces_an_addon(images_for: Images, name: str, spec: Any) -> None:
    """An additional object with the addon's label keeps the built-in images off the list."""
    assert images_for(addon(name), **spec) == images_for()


def test_additional_object_replaces_gce_controller(images_for: Images) -> None:
    """On GCE the cloud controller manager can be replaced in the same way."""
    gone = images_for(cloudProvider="gce") - images_for(
        addon("gcp-cloud-controller.addons.k8s.io"), cloudProvider="gce"
    )
    assert gone == {f"{K8S}/cloud-provider-gcp/cloud-controller-manager:v35.0.0"}


@pytest.mark.parametrize(
    ("changes", "listed"),
    [
        ({"warmPool": {}}, True),
        ({"groups": {**GROUPS, "warm": {"role": "Node", "warmPool": {}}}}, True),
        ({}, False),
        (
            {"groups": {**GROUPS, "g": {"role": "Node", "warmPool": {}}}, "cloudProvider": "gce"},
            False,
        ),
    ],
)
def test_additional_images_with_a_warm_pool(
    images_for: Images, changes: Any, *, listed: bool
) -> None:
    """Images of additional objects are listed only for an AWS cluster with a warm pool."""
    images = images_for(addon("x"), **changes)
    assert ({"user/pod:1", "user/init:1"} <= images) is listed
    assert bool({"user/pod:1", "user/init:1"} & images) is listed
