"""A cluster is read from where it lives, and nothing else is."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import yaml
from botocore.config import Config

from kops_assets_provider.exceptions import InvalidClusterError, InvalidInputError, NotFoundError
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.mirror.state.clusters import read_stored_cluster, stored_kops_version
from kops_assets_provider.mirror.state.memory import MemoryStateStore
from kops_assets_provider.mirror.state.places import StateStores
from kops_assets_provider.testing.components import nginx, seaweedfs

SPECS = Path(__file__).parent.parent.parent / "golden" / "1.36.2" / "specs"
MANIFEST = (SPECS / "own-aws-addons.yaml").read_text()


def stored(manifest, **more):
    """Return a manifest as kOps keeps it, with what it keeps beside."""
    found = {}
    for document in yaml.safe_load_all(manifest):
        name = document["metadata"]["name"]
        if document["kind"] == "Cluster":
            cluster = name
        path = "config" if document["kind"] == "Cluster" else f"instancegroup/{name}"
        found[path] = yaml.safe_dump(document).encode()
    secrets = {"pki/private/kubernetes-ca/keyset.yaml": b"key", "secrets/admin": b"token"}
    return cluster, {f"{cluster}/{k}": v for k, v in {**found, **secrets, **more}.items()}


@pytest.fixture
def name_and_documents():
    return stored(MANIFEST, **{"kops-version.txt": b"1.36.2\n"})


def test_a_stored_cluster_is_that_of_its_manifest(name_and_documents):
    """Reading it piece by piece gives what the manifest as a whole gives."""
    name, documents = name_and_documents
    whole, pieces = load_cluster(MANIFEST), read_stored_cluster(MemoryStateStore(documents), name)
    assert (pieces.name, pieces.cloud, pieces.spec) == (whole.name, whole.cloud, whole.spec)
    assert {g.name: g.spec for g in pieces.instance_groups} == {
        g.name: g.spec for g in whole.instance_groups
    }


def test_only_what_is_needed_is_asked_for(name_and_documents):
    """The spec, the folder of the groups, the groups, the additional objects: nothing else."""
    name, documents = name_and_documents
    store = MemoryStateStore(documents)
    cluster = read_stored_cluster(store, name)
    groups = [f"{name}/instancegroup/{g.name}" for g in cluster.instance_groups]
    expected = [
        f"{name}/config",
        f"{name}/instancegroup/",
        f"{name}/clusteraddons/default",
        *groups,
    ]
    assert sorted(store.asked) == sorted(expected)


def test_additional_objects_are_read():
    """They decide about built-in addons that they replace."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "spec": {"containers": [{"image": "quay.io/a/b:1"}]},
    }
    more = {"clusteraddons/default": yaml.safe_dump_all([pod, pod]).encode()}
    name, documents = stored(MANIFEST, **more)
    cluster = read_stored_cluster(MemoryStateStore(documents), name)
    assert cluster.additional_images() == ["quay.io/a/b:1"] * 2


def test_v1alpha3_is_understood():
    """kOps stores v1alpha2 today, and what follows is written already."""
    manifest = MANIFEST.replace("kops.k8s.io/v1alpha2", "kops.k8s.io/v1alpha3")
    manifest = re.sub(r"cloudProvider: aws", "cloudProvider: {aws: {}}", manifest)
    name, documents = stored(manifest)
    assert read_stored_cluster(MemoryStateStore(documents), name).cloud == "aws"


def test_a_missing_cluster_names_what_there_is(name_and_documents):
    """A typo in the name is seen at once."""
    name, documents = name_and_documents
    store = MemoryStateStore({**documents, "b.example.com/config": b"", "readme": b""})
    with pytest.raises(NotFoundError, match=f"'c.example.com'.*it has b.example.com, {name}$"):
        read_stored_cluster(store, "c.example.com")
    assert store.asked == ["c.example.com/config", ""]


def test_many_clusters_are_not_all_named():
    """A message stays readable."""
    store = MemoryStateStore({f"c{n:02}.example.com/config": b"" for n in range(30)})
    with pytest.raises(NotFoundError, match=r"c19.example.com and 10 more$"):
        read_stored_cluster(store, "x.example.com")


def test_an_empty_store_is_told():
    """There is nothing to choose from."""
    with pytest.raises(NotFoundError, match="it has none"):
        read_stored_cluster(MemoryStateStore({}), "x.example.com")


@pytest.mark.parametrize("name", ["", "a/pki", "../other", ".."])
def test_a_name_that_is_none_is_refused(name):
    """It could make us list what we must not."""
    store = MemoryStateStore({"a/pki/config": b"", "../other/config": b""})
    with pytest.raises(InvalidInputError):
        read_stored_cluster(store, name)


@pytest.mark.parametrize("content", [b"kind: [", b"\xff\xfe", b"a: 1\na: 2"])
def test_a_damaged_document_is_named(name_and_documents, content):
    """The error says which of the documents it is."""
    name, documents = name_and_documents
    documents[f"{name}/instancegroup/nodes"] = content
    with pytest.raises(InvalidClusterError, match=f"memory/{name}/instancegroup/nodes: "):
        read_stored_cluster(MemoryStateStore(documents), name)


def cluster_at(config_base):
    return load_cluster(re.sub(r"configBase: .*", f"configBase: {config_base}", MANIFEST))


@pytest.mark.parametrize("note", ["1.36.2", "v1.36.2\n", "1.37.0-alpha.1"])
def test_the_release_is_noted_in_the_config_base(tmp_path, note):
    """It may be another place than the state store."""
    (tmp_path / "kops-version.txt").write_text(note)
    cluster = cluster_at(f"file://{tmp_path}")
    assert stored_kops_version(StateStores(), "s3://elsewhere", cluster) == note.strip()


def test_without_a_config_base_the_release_is_beside_the_spec(tmp_path):
    """As kOps fills the field in."""
    cluster = load_cluster(re.sub(r"\n  configBase: .*", "", MANIFEST))
    (tmp_path / cluster.name).mkdir()
    (tmp_path / cluster.name / "kops-version.txt").write_text("1.36.2")
    assert stored_kops_version(StateStores(), f"{tmp_path}/", cluster) == "1.36.2"


@pytest.mark.parametrize(
    ("note", "words"), [(None, "never updated"), ("root:x:0", "no kOps release")]
)
def test_a_release_that_is_not_noted_is_told(tmp_path, note, words):
    """Then the user must say it."""
    if note:
        (tmp_path / "kops-version.txt").write_text(note)
    with pytest.raises(InvalidInputError, match=words):
        stored_kops_version(StateStores(), "s3://x", cluster_at(f"file://{tmp_path}"))


@pytest.mark.component
def test_secrets_are_neither_read_nor_listed(tmp_path, name_and_documents):
    """What goes over the wire to a real S3 names neither pki/ nor secrets/, nor asks for a tree."""
    name, documents = name_and_documents
    with seaweedfs(tmp_path / "s3") as server:
        server.client().create_bucket(Bucket="state")
        for path, content in documents.items():
            server.client().put_object(Bucket="state", Key=path, Body=content)
        proxy = f"location / {{ proxy_pass {server.url}; proxy_set_header Host $http_host; }}"
        with nginx(tmp_path, server_directives=proxy) as front:
            client = boto3.client(
                "s3",
                endpoint_url=front.url,
                region_name="us-east-1",
                aws_access_key_id=server.access_key,
                aws_secret_access_key=server.secret_key,
                config=Config(s3={"addressing_style": "path"}),
            )
            stores = StateStores(s3_client=lambda: client)
            cluster = read_stored_cluster(stores.open("s3://state"), name)
            with pytest.raises(NotFoundError, match=f"it has {name}"):
                read_stored_cluster(stores.open("s3://state"), "no.example.com")
            requests = logged(front, 5 + len(cluster.instance_groups))
    assert len(cluster.instance_groups) > 1
    assert {r.method for r in requests} == {"GET"}
    lists = [parse_qs(urlsplit(r.target).query) for r in requests if "list-type" in r.target]
    assert [x.get("prefix", [""]) for x in lists] == [[f"{name}/instancegroup/"], [""]]
    assert all(x["delimiter"] == ["/"] for x in lists)
    assert not [r for r in requests if "pki" in r.target or "secrets" in r.target]


def logged(front, count):
    """Return the requests once as many are logged: nginx writes a line after it has answered."""
    end = time.monotonic() + 10
    while len(front.requests()) < count and time.monotonic() < end:
        time.sleep(0.02)
    return front.requests()
