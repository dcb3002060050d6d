"""Reading Cluster and InstanceGroup documents, and refusing what kOps refuses."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidClusterError, UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.catalog import load_release
from kops_assets_provider.kops.cluster import load_cluster, read_cluster
from kops_assets_provider.kops.inventory import list_assets
from kops_assets_provider.kops.spec_fields import CLUSTER_FIELDS, value_at, with_value

Manifest = Callable[..., str]


def problems_of(text: str) -> tuple[str, ...]:
    with pytest.raises(InvalidClusterError) as caught:
        load_cluster(text, "test.yaml")
    assert str(caught.value).startswith("test.yaml: ")
    return caught.value.problems


def test_reads_a_manifest(manifest: Manifest) -> None:
    """A manifest gives the cluster, its groups and the other objects."""
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
    cluster = load_cluster(manifest(config_map, kubernetesVersion=" v1.35.2 "))
    assert (cluster.name, cluster.cloud) == ("small.example.com", "aws")
    assert [group.name for group in cluster.instance_groups] == ["control-plane", "nodes"]
    assert cluster.additional_objects == (config_map,)
    assert cluster.spec["kubernetesVersion"] == "1.35.2"


def test_reads_a_file_and_standard_input(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path - is standard input; a byte order mark is no part of the text."""
    data = b"\xef\xbb\xbf" + manifest().encode()
    (tmp_path / "c.yaml").write_bytes(data)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert (
        read_cluster(tmp_path / "c.yaml")
        == read_cluster("-", from_shell=True)
        == load_cluster(manifest())
    )


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are a clear error."""
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InvalidClusterError, match="not text in UTF-8"):
        read_cluster(tmp_path / "c.yaml")


@pytest.mark.parametrize("api", ["kops/v1alpha2", "kops.k8s.io/v1alpha2"])
def test_the_old_name_of_the_api_group(manifest: Manifest, api: str) -> None:
    """kOps still reads kops/v1alpha2."""
    assert load_cluster(manifest().replace("kops.k8s.io/v1alpha2", api)).name == "small.example.com"


def test_other_kops_objects_are_no_additional_objects(manifest: Manifest) -> None:
    """A manifest may carry an SSH key, which has no influence."""
    key = {"apiVersion": "kops.k8s.io/v1alpha2", "kind": "SSHCredential", "metadata": {}}
    assert load_cluster(manifest(key)).additional_objects == ()


def test_empty_block_is_set_and_null_is_not(manifest: Manifest) -> None:
    """In kOps {} is a pointer to an empty block, and null is no pointer."""
    cluster = load_cluster(manifest(networking={"cilium": {}, "calico": None}))
    assert value_at(cluster.spec, "networking.cilium") == {}
    assert value_at(cluster.spec, "networking.calico") is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"cloudProvider": "ibm"}, "spec.cloudProvider 'ibm' is not one of aws, azure,"),
        ({"cloudProvider": None}, "spec.cloudProvider is not set"),
        ({"cloudProvider": {"aws": {}}}, "spec.cloudProvider must be text, not a mapping"),
        ({"kubernetesVersion": None}, "spec.kubernetesVersion is not set"),
        ({"kubernetesVersion": "latest"}, "spec.kubernetesVersion 'latest' is no version"),
        ({"kubernetesVersion": 1.35}, "spec.kubernetesVersion must be text, not 1.35"),
        ({"etcdClusters": []}, "spec.etcdClusters is empty"),
        ({"etcdClusters": ["main"]}, "spec.etcdClusters[0] must be a mapping"),
        (
            {"etcdClusters": [{"manager": "x"}]},
            'spec.etcdClusters[0].manager must be a mapping, not "x"',
        ),
        ({"networking": "cilium"}, 'spec.networking must be a mapping, not "cilium"'),
        ({"networking": {"cilium": True}}, "spec.networking.cilium must be a mapping, not true"),
        (
            {"networking": {"cilium": {}, "calico": {}}},
            "only one networking option is permitted, and there are networking.calico, "
            "networking.cilium",
        ),
        (
            {"clusterAutoscaler": {"enabled": "true"}},
            'spec.clusterAutoscaler.enabled must be true or false, not "true"',
        ),
        (
            {"networking": {"calico": {"typhaReplicas": True}}},
            "spec.networking.calico.typhaReplicas must be a whole number, not true",
        ),
        (
            {"assets": {"containerRegistry": "a", "containerProxy": "b"}},
            "spec.assets.containerProxy cannot be used together with containerRegistry",
        ),
        ({"assets": {"containerRegistry": ""}}, "spec.assets.containerRegistry is empty"),
        (
            {"assets": {"fileRepository": "s3://bucket/x"}},
            "spec.assets.fileRepository 's3://bucket/x' is not an http or https URL with a host",
        ),
        ({"assets": {"fileRepository": "https://"}}, "is not an http or https URL with a host"),
        ({"assets": {"fileRepository": ""}}, "is not an http or https URL with a host"),
        ({"assets": {"fileRepository": "https://[::1/x"}}, "is not an http or https URL"),
        (
            {"cloudProvider": "gce", "nodeTerminationHandler": {}},
            "spec.nodeTerminationHandler is for aws clusters only",
        ),
        (
            {"cloudConfig": {"gcpPDCSIDriver": {"enabled": True}}},
            "spec.cloudConfig.gcpPDCSIDriver is for gce clusters only",
        ),
        (
            {"labels": {"alpha.kops.k8s.io/cloud": "metal"}},
            "a metal cluster cannot have spec.cloudProvider 'aws'",
        ),
        ({"groups": {}}, "there is no InstanceGroup document"),
        ({"groups": {"n": {"role": "Node"}}}, "there is no InstanceGroup for the control plane"),
        ({"groups": {"m": {"role": "Master"}}}, "there is no InstanceGroup for nodes"),
        (
            {"groups": {"m": {"role": "Master"}, "n": {"role": "Boss"}}},
            "InstanceGroup n: spec.role must be one of APIServer, Bastion, ControlPlane,",
        ),
        (
            {"groups": {"m": {"role": "Master"}, "n": {"role": "Node", "warmPool": 3}}},
            "InstanceGroup n: spec.warmPool must be a mapping, not 3",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_refuses_what_kops_refuses(manifest: Manifest, changes: Any, problem: str) -> None:
    """A wrong field is one clear problem that names it."""
    (found,) = problems_of(manifest(**changes))
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there must be one Cluster document, and there is no Cluster"),
        ("hello", "document 1 has no apiVersion and kind"),
        ("- 1", "document 1 has no apiVersion and kind"),
        ("{kind: Cluster}", "document 1 has no apiVersion and kind"),
        ("a: [", "it is not YAML"),
        ("a: 1\na: 1", "the key 'a' occurs twice"),
        ("{apiVersion: kops.k8s.io/v1alpha1, kind: Cluster}", "the unknown apiVersion kops.k8s.io"),
        ("{apiVersion: kops.k8s.io/v1alpha2, kind: Clutser}", "the unknown kind Clutser"),
        ("{apiVersion: kops.k8s.io/v1alpha2, kind: Cluster}", "document 1 has no metadata.name"),
        (
            "{apiVersion: kops.k8s.io/v1alpha2, kind: Cluster, metadata: {name: x}, spec: []}",
            "Cluster in document 1: spec must be a mapping",
        ),
    ],
)
def test_refuses_documents(text: str, problem: str) -> None:
    """Documents that are no cluster are refused."""
    assert problem in "\n".join(problems_of(text))


def test_refuses_two_clusters(manifest: Manifest) -> None:
    """A manifest is about one cluster."""
    other = manifest(groups={}).replace("small", "other")
    assert problems_of(f"{manifest()}---\n{other}") == (
        "there must be one Cluster document, and there is 2 Cluster documents "
        "(small.example.com, other.example.com)",
    )


def test_refuses_groups_of_another_cluster_and_twins(manifest: Manifest) -> None:
    """A group labelled for another cluster, or there twice, is a mistake."""
    documents = list(yaml.safe_load_all(manifest()))
    documents[1]["metadata"]["labels"] = {"kops.k8s.io/cluster": "other.example.com"}
    documents.append(documents[2])
    assert problems_of(yaml.safe_dump_all(documents)) == (
        "InstanceGroup control-plane belongs to the cluster other.example.com, "
        "not to small.example.com",
        "InstanceGroup nodes occurs twice",
    )


def test_tells_all_problems_at_once(manifest: Manifest) -> None:
    """Nobody has to fix one problem to hear of the next."""
    text = manifest(
        cloudProvider="ibm",
        kubernetesVersion="x",
        etcdClusters=None,
        groups={"n": {"role": "Node"}},
    )
    assert len(problems_of(text)) == 4


def test_finds_replaced_addons_and_images(manifest: Manifest) -> None:
    """Labels of additional objects replace addons; images count inside containers only."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"addon.kops.k8s.io/name": "networking.cilium.io"}},
        "spec": {
            "image": "no",
            "initContainers": [{"image": "a"}],
            "containers": [{"image": "b", "env": [{"image": "no"}]}, {"image": None}],
            "ephemeralContainers": [{"image": "no"}],
        },
    }
    cluster = load_cluster(manifest(pod))
    assert cluster.replaces("networking.cilium.io")
    assert not cluster.replaces("networking.kope.io")
    assert sorted(cluster.additional_images()) == ["a", "b"]


V1ALPHA3: dict[str, Any] = {
    "cloudProvider": {
        "aws": {
            "ebsCSIDriver": {"version": "v1"},
            "loadBalancerController": {"enabled": True},
            "nodeTerminationHandler": {"version": "v2"},
            "podIdentityWebhook": {"enabled": True},
            "warmPool": {},
            "binariesLocation": "https://lost.example.com",
        }
    },
    "externalDNS": {"provider": "external-dns"},
    "networking": {
        "topology": {"dns": "Private"},
        "amazonVPC": {"image": "a", "initImage": "b", "networkPolicyAgentImage": "c"},
    },
    "nodeTerminationHandler": {"version": "not here"},
}
V1ALPHA2: dict[str, Any] = {
    "cloudProvider": "aws",
    "cloudConfig": {"awsEBSCSIDriver": {"version": "v1"}},
    "awsLoadBalancerController": {"enabled": True},
    "nodeTerminationHandler": {"version": "v2"},
    "podIdentityWebhook": {"enabled": True},
    "warmPool": {},
    "externalDns": {"provider": "external-dns"},
    "topology": {"dns": {"type": "Private"}},
    "networking": {
        "amazonvpc": {"imageName": "a", "initImageName": "b", "networkPolicyAgentImage": "c"}
    },
}


def test_v1alpha3_lists_the_same(list_for: Callable[..., ClusterAssets]) -> None:
    """A cluster in v1alpha3 gives the list of its v1alpha2 twin."""
    groups = {"control-plane": {"role": "ControlPlane"}, "nodes": {"role": "Node"}}
    new = list_for(version="v1alpha3", groups=groups, **V1ALPHA3)
    assert new == list_for(**V1ALPHA2)


@pytest.mark.parametrize(
    ("provider", "cloud"), [({"do": {}}, "digitalocean"), ({"gce": {}, "aws": None}, "gce")]
)
def test_v1alpha3_clouds(manifest: Manifest, provider: Any, cloud: str) -> None:
    """In v1alpha3 the cloud is the block that is set."""
    assert load_cluster(manifest(version="v1alpha3", cloudProvider=provider)).cloud == cloud


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ("aws", "spec.cloudProvider must be a mapping in v1alpha3"),
        ({"aws": {}, "gce": {}}, "spec.cloudProvider has more than one cloud: aws, gce"),
    ],
)
def test_v1alpha3_refuses(manifest: Manifest, provider: Any, problem: str) -> None:
    """In v1alpha3 there is one cloud, as a block."""
    assert problem in problems_of(manifest(version="v1alpha3", cloudProvider=provider))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "aws", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(sorted(CLUSTER_FIELDS)), JUNK)
def test_no_field_can_crash_us(path: str, junk: Any) -> None:
    """Whatever stands in a field, the answer is an asset list or a list of problems."""
    spec: dict[str, Any] = {
        "cloudProvider": "aws",
        "kubernetesVersion": "1.35.2",
        "etcdClusters": [{"name": "main"}],
    }
    top = {"apiVersion": "kops.k8s.io/v1alpha2", "metadata": {"name": "x"}}
    text = yaml.safe_dump_all(
        [
            {**top, "kind": "Cluster", "spec": with_value(spec, path, junk)},
            {**top, "kind": "InstanceGroup", "metadata": {"name": "m"}, "spec": {"role": "Master"}},
            {**top, "kind": "InstanceGroup", "metadata": {"name": "n"}, "spec": {"role": "Node"}},
        ]
    )
    with contextlib.suppress(InvalidClusterError, UnsupportedKubernetesError):
        assert list_assets(load_cluster(text), load_release("1.36.2")).images


@pytest.mark.parametrize("name", ["a/b", "../x", "A.example.com", "a b"])
def test_a_cluster_is_named_like_a_host(manifest: Manifest, name: str) -> None:
    """Its name becomes that of documents."""
    text = manifest().replace("small.example.com", json.dumps(name)[1:-1])
    assert any("expected a cluster's name" in x for x in problems_of(text))
