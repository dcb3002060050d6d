"""A cluster is read from where it lives, and nothing else is."""

from __future__ import annotations

import json
import re
import time
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import yaml
from botocore.config import Config

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    InvalidClusterError,
    InvalidInputError,
    NotFoundError,
    TransientError,
)
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.mirror.places.state.clusters import (
    read_stored_cluster,
    stored_kops_version,
)
from kops_assets_provider.mirror.places.state.places import StateStores
from tests.support.components import nginx, seaweedfs
from tests.support.memory_state_store import MemoryStateStore

TESTS = Path(__file__).parents[3]
SPECS = TESTS / "golden" / "1.36.2" / "specs"
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
    """The spec, two folders' names, the groups; additional objects only if they are named."""
    name, documents = name_and_documents
    store = MemoryStateStore(documents)
    cluster = read_stored_cluster(store, name)
    groups = [f"{name}/instancegroup/{g.name}" for g in cluster.instance_groups]
    expected = [
        f"{name}/config",
        f"{name}/instancegroup/",
        f"{name}/clusteraddons/",
        *groups,
    ]
    assert sorted(store.asked) == sorted(expected)


class PolicedStore(MemoryStateStore):
    """What S3 does for whom the policy in docs/lists.md is, with the prefix ``PREFIX``."""

    def __init__(self, documents, name):
        super().__init__(documents)
        text = (TESTS.parent / "docs" / "lists.md").read_text()
        policy = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
        get, list_bucket = policy["Statement"]
        prefix = f"PREFIX/{name}/"
        resources = [x.replace("PREFIX/CLUSTER/", prefix) for x in get["Resource"]]
        self.readable = [x.removeprefix("arn:aws:s3:::BUCKET/PREFIX/") for x in resources]
        prefixes = list_bucket["Condition"]["StringEquals"]["s3:prefix"]
        self.listable = [x.replace("PREFIX/CLUSTER", name).rstrip("/") for x in prefixes]

    def read(self, path):
        found = super().read(path)
        if found is None or not any(fnmatchcase(path, x) for x in self.readable):
            raise AccessDeniedError(f"{path}: 403")
        return found

    def list(self, folder=""):
        if folder not in self.listable:
            raise AccessDeniedError(f"{folder}: 403")
        return super().list(folder)


@pytest.mark.parametrize("more", [{}, {"clusteraddons/default": b"", "clusteraddons/x": b""}])
def test_the_policy_in_the_docs_is_enough(more):
    """S3 denies what is not there to whom may not list: nothing may be asked for at a guess."""
    name, documents = stored(MANIFEST, **more)
    store = PolicedStore(documents, name)
    assert read_stored_cluster(store, name).name == name
    assert (f"{name}/clusteraddons/default" in store.asked) is bool(more)
    assert f"{name}/kops-version.txt" in store.readable


def test_what_is_denied_is_not_absent(name_and_documents):
    """A list without it would be incomplete, and nobody would know."""
    name, documents = name_and_documents
    for denied in (f"{name}/clusteraddons/default", f"{name}/instancegroup/nodes"):
        store = PolicedStore({**documents, denied: b""}, name)
        store.readable = [f"{name}/config"]
        with pytest.raises(AccessDeniedError):
            read_stored_cluster(store, name)


@pytest.mark.parametrize("path", ["instancegroup/nodes", "clusteraddons/default"])
def test_what_vanishes_meanwhile_is_missed(path):
    """Somebody renames a group while we read: a list without it would be wrong."""
    name, documents = stored(MANIFEST, **{"clusteraddons/default": b""})

    class Changing(MemoryStateStore):
        def read(self, asked):
            found = super().read(asked)
            return None if asked == f"{name}/{path}" else found

    with pytest.raises(TransientError, match=f"memory/{name}/{path}: it was there when listed"):
        read_stored_cluster(Changing(documents), name)


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
    assert store.asked[-1] == ""
    assert {x.partition("/")[0] for x in store.asked[:-1]} == {"c.example.com"}


def test_a_missing_cluster_is_told_to_whom_may_not_list():
    """That there is none is known; only what there is instead is not."""

    class Unlisted(MemoryStateStore):
        def list(self, folder=""):
            raise AccessDeniedError(f"{folder or 'top'}: 403")

    words = (
        r"has no cluster 'c.example.com': there is no c.example.com/config.*cannot be listed.*403"
    )
    with pytest.raises(NotFoundError, match=words):
        read_stored_cluster(Unlisted({}), "c.example.com")


def test_many_clusters_are_not_all_named():
    """A message stays readable."""
    store = MemoryStateStore({f"c{n:02}.example.com/config": b"" for n in range(30)})
    with pytest.raises(NotFoundError, match=r"c19.example.com and 10 more$"):
        read_stored_cluster(store, "x.example.com")


def test_an_empty_store_is_told():
    """There is nothing to choose from."""
    with pytest.raises(NotFoundError, match="it has none"):
        read_stored_cluster(MemoryStateStore({}), "x.example.com")


@pytest.mark.parametrize("name", ["", "a/pki", "../other", "..", "pki", "secrets"])
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


@pytest.mark.component
def test_secrets_are_neither_read_nor_listed(tmp_path):
    """What goes over the wire to a real S3 names neither pki/ nor secrets/, nor asks for a tree."""
    more = {"kops-version.txt": b"1.36.2", "clusteraddons/default": b"", "clusteraddons/x": b""}
    name, documents = stored(re.sub(r"\n  configBase: .*", "", MANIFEST), **more)
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
            assert stored_kops_version(stores, "s3://state", cluster) == "1.36.2"
            with pytest.raises(NotFoundError, match=f"it has {name}"):
                read_stored_cluster(stores.open("s3://state"), "no.example.com")
            requests = logged(front, 9 + len(cluster.instance_groups))
    assert len(cluster.instance_groups) > 1
    assert {r.method for r in requests} == {"GET"}
    lists = [parse_qs(urlsplit(r.target).query) for r in requests if "list-type" in r.target]
    folders = ["clusteraddons/", "instancegroup/"]
    expected = [f"{x}/{folder}" for x in (name, "no.example.com") for folder in folders]
    assert sorted(x.get("prefix", [""])[0] for x in lists) == sorted(["", *expected])
    assert all(x["delimiter"] == ["/"] for x in lists)
    read = {r.path.removeprefix("/state/") for r in requests if "list-type" not in r.target}
    kept = {x for x in documents if "/pki/" in x or "/secrets/" in x or x.endswith("addons/x")}
    assert read == {*documents, "no.example.com/config"} - kept
    assert not [r for r in requests if "pki" in r.target or "secrets" in r.target]


def logged(front, count):
    """Return the requests once as many are logged: nginx writes a line after it has answered."""
    end = time.monotonic() + 60
    while len(front.requests()) < count and time.monotonic() < end:
        time.sleep(0.02)
    return front.requests()
