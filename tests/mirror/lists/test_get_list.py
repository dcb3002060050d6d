"""Whatever way a list comes, the same is done to it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from kops_assets_provider.exceptions import (
    InvalidInputError,
    PermanentError,
    UnknownReleaseError,
)
from kops_assets_provider.mirror.lists.find_release import find_release
from kops_assets_provider.mirror.lists.get_list import ListRequest, list_cluster, make_list
from kops_assets_provider.mirror.lists.hosts import source_hosts
from tests.support.file_server import FileServer

SPEC = Path(__file__).parents[2] / "golden" / "1.36.2" / "specs" / "own-aws-registry.yaml"
DOCUMENTS = list(yaml.safe_load_all(SPEC.read_text()))
NAME = next(x["metadata"]["name"] for x in DOCUMENTS if x["kind"] == "Cluster")
OFFLINE = {"fetch_hashes": False}
NATIVE = {"cluster_spec": str(SPEC), "kops_version": "1.36.2", **OFFLINE}
PLAIN = list_cluster(str(SPEC), "1.36.2", fetch_hashes=False)
PLAIN_FILE = next(x for x in PLAIN.assets.files if x.sha)


@pytest.fixture
def state(tmp_path):
    """A state store in a directory."""
    for document in DOCUMENTS:
        name = document["metadata"]["name"]
        path = "config" if document["kind"] == "Cluster" else f"instancegroup/{name}"
        file = tmp_path / "state" / NAME / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if document["kind"] == "Cluster":
            document = {**document, "spec": {**document["spec"], "configBase": None}}
        file.write_text(yaml.safe_dump(document))
    (tmp_path / "state" / NAME / "kops-version.txt").write_text("1.36.2\n")
    return str(tmp_path / "state")


def canonicals(listed):
    return {x.canonical: x.download for x in (*listed.assets.images, *listed.assets.files)}


def test_a_state_store_gives_what_the_manifest_gives(state):
    """With the release of the last update, as no other is asked for."""
    assert make_list(ListRequest(state_store=state, cluster_name=NAME, **OFFLINE)) == PLAIN


def test_a_release_that_is_asked_for_goes_before(state):
    """The next update is what a mirror is filled for."""
    request = ListRequest(state_store=state, cluster_name=NAME, kops_version="1.35.0", **OFFLINE)
    assert make_list(request).kops_version == "1.35.0"


@pytest.mark.parametrize(
    ("parameters", "problems"),
    [
        ({}, ["cluster_spec: it is not set"]),
        ({"cluster_spec": "x"}, ["kops_version: it is not set"]),
        ({"cluster_spec": "x", "state_store": "y"}, ["give one of them", "cluster_name: it is"]),
        ({"state_store": "y"}, ["cluster_name: it is not set"]),
        ({"asset_list": "x", "extended": True}, ["need the cluster's spec beside the list"]),
        ({"asset_list": "x", "kubernetes_version": "1.36.0"}, ["version and asset_list: the list"]),
        ({"asset_list": "x", "kops_version": "1.36.1,1.36.2"}, ["kops_version: one, since"]),
        ({"asset_list": "x", "extra_images": ("x",)}, ["need the cluster's spec"]),
    ],
)
def test_all_that_is_missing_is_told_at_once(parameters, problems):
    """One error, every problem, before anything is read."""
    with pytest.raises(InvalidInputError) as caught:
        make_list(ListRequest(**parameters))
    for problem in problems:
        assert problem in str(caught.value)


def test_extended_adds_what_is_used(state):
    """Hooks and the like, remapped as all images are, with a warning."""
    file = Path(state) / NAME / "instancegroup" / "nodes"
    group = yaml.safe_load(file.read_text())
    group["spec"]["hooks"] = [{"execContainer": {"image": "alpine:3"}}]
    file.write_text(yaml.safe_dump(group))
    request = ListRequest(state_store=state, cluster_name=NAME, extended=True, **OFFLINE)
    found = make_list(request)
    added = canonicals(found).items() - canonicals(PLAIN).items()
    hook = "docker.io/library/alpine:3"
    repository = PLAIN.assets.images[-1].download.rpartition("/")[0]
    assert (hook, f"{repository}/docker.io-library-alpine:3") in added
    assert [x.canonical for x in found.assets.images] == sorted(
        x.canonical for x in found.assets.images
    )
    (caveat,) = (x for x in found.warnings if x.code == "not-rewritten")
    assert hook in caveat.message


def test_extras_are_remapped_alike():
    """Images and files of the user's own; what is listed already stays as it is."""
    listed = PLAIN.assets.images[0].canonical
    sha = "a" * 64
    found = make_list(
        ListRequest(
            **NATIVE,
            extra_images=("quay.io/own/app:1", listed),
            extra_files={"https://own.example.com/x/tool": sha, "https://own.example.com/y": None},
        )
    )
    repository = PLAIN.assets.images[-1].download.rpartition("/")[0]
    file = PLAIN.assets.files[0]
    files = file.download.removesuffix(urlsplit(file.canonical).path)
    assert canonicals(found).items() - canonicals(PLAIN).items() == {
        ("quay.io/own/app:1", f"{repository}/quay.io-own-app:1"),
        ("https://own.example.com/x/tool", f"{files}/x/tool"),
        ("https://own.example.com/y", f"{files}/y"),
    }
    assert found.hash_sources["https://own.example.com/x/tool"] == "extra"


@pytest.mark.parametrize(
    ("extras", "words"),
    [
        ({"extra_images": ("Not An Image", "quay.io/a:1", "UPPER/x:1")}, "Not An Image.*UPPER"),
        ({"extra_files": {"ftp://x/y": None, "https://x/y": "123"}}, "ftp.*no SHA-256"),
        ({"extra_files": {"https:///y": None}}, "no host"),
        ({"extra_files": {"https://me:secret@x/y": None}}, "x/y': it has a user or password"),
        ({"extra_files": {PLAIN_FILE.canonical: "d" * 64}}, "in the list, not d"),
    ],
)
def test_wrong_extras_are_told_together(extras, words):
    """Before anything is fetched for them."""
    with pytest.raises(InvalidInputError, match=words):
        make_list(ListRequest(**NATIVE, **extras))


def test_an_extra_hash_is_taken_for_a_listed_file():
    """kOps lists some files without a hash; what the user knows of them counts."""
    unknown = next(x.canonical for x in PLAIN.assets.files if not x.sha)
    extras = {unknown: "d" * 64, PLAIN_FILE.canonical: PLAIN_FILE.sha}
    found = make_list(ListRequest(**NATIVE, extra_files=extras))
    shas = {x.canonical: x.sha for x in found.assets.files}
    assert shas.keys() == {x.canonical for x in PLAIN.assets.files}
    assert (shas[unknown], shas[PLAIN_FILE.canonical]) == ("d" * 64, PLAIN_FILE.sha)
    assert found.hash_sources[unknown] == "extra"


def test_a_saved_list_takes_extras_with_its_spec(tmp_path):
    """The spec says how they are remapped."""
    saved = tmp_path / "x.yaml"
    saved.write_text(PLAIN.assets.to_yaml())
    request = ListRequest(**NATIVE, asset_list=str(saved), extra_images=("quay.io/own/app:1",))
    assert "quay.io/own/app:1" in canonicals(make_list(request))


def test_where_each_hash_is_from_is_told(file_server: FileServer, tmp_path):
    """Pinned, on board, or fetched; what is pinned goes before all but the spec."""
    unknown = [x.canonical for x in PLAIN.assets.files if not x.sha]
    assert unknown
    for url in unknown:
        sha = hashlib.sha256(url.encode()).hexdigest()
        file_server.put(f"/{url.partition('://')[2]}.sha256", sha.encode())
    pinned = next(x.canonical for x in PLAIN.assets.files if x.sha)
    hosts = {f"https://{host}": f"{file_server.url}/{host}" for host in source_hosts(PLAIN.assets)}
    request = ListRequest(
        cluster_spec=str(SPEC),
        kops_version="1.36.2",
        find_sha={pinned: "b" * 64}.get,
        source_rewrites=hosts,
    )
    found = make_list(request)
    shas = {x.canonical: x.sha for x in found.assets.files}
    assert all(shas.values())
    assert shas[pinned] == "b" * 64
    assert found.hash_sources[pinned] == "pinned"
    assert found.hash_sources[unknown[0]].startswith(file_server.url)
    assert set(found.hash_sources.values()) > {"kops 1.36.2", "pinned"}
    assert found.hash_sources.keys() == shas.keys()


def test_an_unknown_patch_release_names_the_choices():
    """The nearest one by wish, or kops itself; across minor releases nothing is guessed."""
    with pytest.raises(UnknownReleaseError, match=r"1\.36\.2's rules can stand in.*kops_command"):
        find_release("1.36.9")
    with pytest.raises(UnknownReleaseError) as caught:
        find_release("1.99.0", nearest=True)
    assert "stand in" not in str(caught.value)
    with pytest.raises(UnknownReleaseError):
        find_release("1.36", nearest=True)


def test_the_nearest_release_lists_under_the_asked_ones_name():
    """Its rules, but the version in URLs and tags is the one that will be installed."""
    found = make_list(ListRequest(**{**NATIVE, "kops_version": "1.36.9"}, nearest_release=True))
    names = canonicals(found)
    assert "https://artifacts.k8s.io/binaries/kops/1.36.9/linux/amd64/nodeup" in names
    assert "registry.k8s.io/kops/kops-controller:1.36.9" in names
    assert found.kops_version == "1.36.9"
    assert "nearest-release" in {x.code for x in found.warnings}
    kubelet = next(x for x in found.assets.files if x.canonical.endswith("kubelet"))
    assert found.hash_sources[kubelet.canonical] == "kops 1.36.2"


def test_the_environments_overrides_are_told(monkeypatch):
    """They would change what kops lists."""
    monkeypatch.setenv("KOPS_BASE_URL", "https://x.example.com")
    assert "environment" in {x.code for x in make_list(ListRequest(**NATIVE)).warnings}


def test_hosts_are_those_of_the_sources():
    """Every registry and every file host, rewritten where the copy is; Docker Hub's others too."""
    request = ListRequest(**NATIVE, extra_images=("busybox:1",))
    assets = make_list(request).assets
    hosts = source_hosts(assets)
    assert {"registry.k8s.io", "artifacts.k8s.io", "dl.k8s.io", "docker.io"} <= hosts.keys()
    assert "registry-1.docker.io" in hosts["docker.io"]
    rewrites = {"docker.io": "cache.example.com/hub", "https://dl.k8s.io": "https://m.example.com"}
    rewritten = source_hosts(assets, rewrites)
    assert {"cache.example.com", "m.example.com"} <= rewritten.keys()
    assert not {"docker.io", "dl.k8s.io"} & rewritten.keys()


def test_a_hash_that_is_nowhere_is_permanent(file_server: FileServer):
    """The server answers, and has none."""
    rewrites = {"https://": f"{file_server.url}/"}
    with pytest.raises(PermanentError, match="no hash for"):
        make_list(ListRequest(**{**NATIVE, "fetch_hashes": True}, source_rewrites=rewrites))
