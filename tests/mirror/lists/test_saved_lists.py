"""A saved list is the list that it was, wherever it was saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.lists.get_list import ListRequest, list_cluster, make_list
from kops_assets_provider.mirror.lists.saved_lists import read_saved_list, save_list
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.state.places import StateStores
from tests.support.file_server import FileServer
from tests.support.memory_files import MemoryStore

SPEC = Path(__file__).parents[2] / "golden" / "1.36.2" / "specs" / "own-aws-registry.yaml"
LISTED = list_cluster(str(SPEC), "1.36.2", fetch_hashes=False)
KOPS_OWN = {"yaml": LISTED.assets.to_yaml(), "json": LISTED.assets.to_json()}


@pytest.mark.parametrize("form", KOPS_OWN)
def test_kops_own_lists_are_read(tmp_path: Path, form: str) -> None:
    """They say no cluster and no release: the file's name and the user do."""
    file = tmp_path / f"prod.example.com.{form}"
    file.write_text(KOPS_OWN[form])
    found = read_saved_list(str(file), StateStores())
    assert found.assets == LISTED.assets
    assert (found.cluster, found.kops_version) == ("prod.example.com", "unknown")
    named = read_saved_list(str(file), StateStores(), "c.example.com", "1.36.2")
    assert (named.cluster, named.kops_version) == ("c.example.com", "1.36.2")


@pytest.mark.parametrize("form", ["json", "yaml", "yml"])
def test_what_is_saved_is_read_back(form: str) -> None:
    """Our own keys survive, and go before what the user says."""
    store = MemoryStore()
    stores = FileStores({Scheme.S3: lambda _: store})
    save_list(LISTED, f"s3://bucket/lists/x.{form}", stores)
    content = store.files[f"lists/x.{form}"]
    found = AssetList.from_saved(yaml.safe_load(content), "x", default_cluster="other")
    assert found == LISTED


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"cluster": "b.example.com"}, "its cluster is own-aws-registry.example.com, and b.exa"),
        ({"kops_version": "1.35.2"}, "its kops_version is 1.36.2, and 1.35.2 is wanted"),
    ],
)
def test_another_list_than_wanted_is_refused(wanted: dict[str, str], problem: str) -> None:
    """A mirror filled for another cluster or release is found out when nodes do not boot."""
    with pytest.raises(InvalidInputError, match=problem):
        AssetList.from_saved(LISTED.to_saved(), **wanted)
    same = AssetList.from_saved(LISTED.to_saved(), "x", LISTED.cluster, "v1.36.2")
    assert same == LISTED


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"warnings": "none"}, "its warnings are not a list"),
        ({"warnings": [{"code": "x"}]}, "its warnings are not a list"),
        ({"cluster": 1}, "it has no cluster"),
        ({"cluster": "c\x1b[2J"}, "its cluster is not printable text"),
        ({"kops_version": "1" * 300}, "its kops_version is not printable text"),
        ({"images": [], "files": []}, "neither images nor files"),
    ],
)
def test_our_own_keys_are_checked(values: dict[str, object], problem: str) -> None:
    """Whoever can write a saved list must not lead us anywhere with it."""
    with pytest.raises(InvalidInputError, match=problem):
        AssetList.from_saved({**LISTED.to_saved(), **values})


def test_a_list_is_saved_to_a_file(tmp_path: Path) -> None:
    """A directory is a place like a bucket."""
    from kops_assets_provider.files.directory import DirectoryStore

    stores = FileStores({Scheme.FILE: lambda target: DirectoryStore(target.root)})
    save_list(LISTED, f"{tmp_path}/new/list.json", stores)
    assert read_saved_list(f"{tmp_path}/new/list.json", StateStores()) == LISTED


@pytest.mark.parametrize("url", ["s3://bucket/list.txt", "s3://bucket/list", "/x/"])
def test_an_unknown_suffix_is_refused(url: str) -> None:
    """Nobody must guess what is in a file."""
    with pytest.raises(InvalidInputError, match=r"must end with one of .json, .yaml, .yml"):
        save_list(LISTED, url, FileStores({}))


def test_a_list_is_read_over_http(file_server: FileServer) -> None:
    """By the client that all else is fetched with; a query does not show up anywhere."""
    file_server.put("/lists/a.example.com.json", KOPS_OWN["json"].encode())
    url = f"{file_server.url}/lists/a.example.com.json?signature=secret"
    found = read_saved_list(url, StateStores())
    assert found.cluster == "a.example.com"
    with pytest.raises(NotFoundError) as caught:
        read_saved_list(f"{file_server.url}/none.json?signature=secret", StateStores())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "0 documents"),
        (b"a: 1\n---\nb: 1\n", "2 documents"),
        (b"{", "it is not JSON"),
        (b"{" * 100_000, "it is not JSON"),
        (b'{"a":' * 100_000, "nested more than 100 deep"),
        (b'{"a": NaN}', "a number that is not finite"),
        (b'{"a": 1e999}', "a number that is not finite"),
        (
            b'{"files": [{"canonical": "' + b"a" * 9000 + b'", "download": "a"}]}',
            "not a name or URL",
        ),
        (b'{"images": [], "images": []}', "the key 'images' occurs twice"),
        (b"images: []\nimages: []\n", "the key 'images' occurs twice"),
        (b"\xff", "not text in UTF-8"),
        (b"\nCANONICAL\tDOWNLOAD\n", "got str"),
        (b"{}", "neither images nor files"),
        (b'{"images": []}', "neither images nor files"),
        (b'{"files": [{"canonical": "http://[x", "download": "a"}]}', "is not a name or URL"),
        (b'{"files": [{"canonical": "a\\u001b[0m", "download": "a"}]}', "is not a name or URL"),
        (b'{"files": [{"canonical": "a\\ud800", "download": "a"}]}', "is not a name or URL"),
        (b'{"images": [{"canonical": "a"}]}', r"images\[0\].download is not a name or URL"),
        (b"a: [", "it is not YAML"),
        (b"spec: {}\n", "neither images nor files"),
    ],
)
def test_what_is_no_list_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    """One clear error that names the document; no cluster's list is empty."""
    file = tmp_path / "list.json"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError, match=words) as caught:
        read_saved_list(str(file), StateStores())
    assert str(file) in str(caught.value)


def test_a_thousand_assets_pass(tmp_path: Path) -> None:
    """A list that large is read, and its warnings computed, at once."""
    images = [{"canonical": f"quay.io/a/b:{n}", "download": f"r/b:{n}"} for n in range(500)]
    files = [
        {"canonical": f"https://a/{n}", "download": f"https://b/{n}", "sha": f"{n:064x}"}
        for n in range(500)
    ]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"images": images, "files": files}))
    found = make_list(ListRequest(asset_list=str(file)))
    assert (len(found.assets.images), len(found.assets.files)) == (500, 500)
    assert found.warnings == ()


_NAMES = st.text("abc/.:-", min_size=1, max_size=20).filter(lambda x: "://" not in x)
_WORDS = st.text("abc äß1", max_size=20)
_SHAS = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)


@given(
    st.lists(_NAMES, unique=True, min_size=1, max_size=5),
    st.lists(st.tuples(_NAMES, _SHAS), unique_by=lambda x: x[0], max_size=5),
    st.lists(st.builds(Caveat, code=_WORDS, message=_WORDS), max_size=2),
)
def test_a_list_survives_being_plain_data(images, files, caveats) -> None:
    """From values to JSON and back nothing is lost."""
    assets = ClusterAssets(
        images=tuple(ImageAsset(canonical=x, download=f"r/{x}") for x in images),
        files=tuple(FileAsset(canonical=x, download=f"d/{x}", sha=sha) for x, sha in files),
    )
    listed = AssetList(cluster="c", kops_version="1.36.2", assets=assets, warnings=tuple(caveats))
    assert AssetList.from_saved(json.loads(json.dumps(listed.to_saved()))) == listed


def test_a_saved_warning_is_told_once(tmp_path: Path) -> None:
    """What the list says of itself, and what is seen in it again, is one warning."""
    caveat = Caveat(code="mutable-tag", message="x")
    listed = make_list(
        ListRequest(
            cluster_spec=str(SPEC),
            kops_version="1.36.2",
            fetch_hashes=False,
            extra_images=("quay.io/a/b:latest",),
        )
    )
    saved = AssetList.from_saved({**listed.to_saved(), "warnings": [caveat.to_dict()]})
    file = tmp_path / "a.json"
    file.write_text(
        json.dumps(
            {**saved.to_saved(), "warnings": [*listed.to_saved()["warnings"], caveat.to_dict()]}
        )
    )
    found = make_list(ListRequest(asset_list=str(file), fetch_hashes=False))
    assert found.warnings == (*listed.warnings, caveat)
