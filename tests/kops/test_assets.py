"""Asset lists in and out of kOps' formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.redaction import printable

# Whatever can be printed and holds no credential, and is no broken IPv6 address in a URL.
NAMES = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"], exclude_characters="[]?#@"),
    min_size=1,
    max_size=20,
).filter(lambda x: printable(x) == x and "://" not in x)
SHAS = st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
LISTS = st.builds(
    lambda images, files: ClusterAssets(images=tuple(images), files=tuple(files)),
    st.lists(
        st.builds(ImageAsset, canonical=NAMES, download=NAMES),
        unique_by=lambda i: i.canonical,
        max_size=4,
    ),
    st.lists(
        st.builds(FileAsset, canonical=NAMES, download=NAMES, sha=SHAS),
        unique_by=lambda f: f.canonical,
        max_size=4,
    ),
)


@given(LISTS)
def test_from_dict_reads_what_to_dict_wrote(assets: ClusterAssets) -> None:
    """from_dict(to_dict(x)) is x."""
    assert ClusterAssets.from_dict(assets.to_dict()) == assets


@given(LISTS)
def test_json_says_the_same(assets: ClusterAssets) -> None:
    """What is printed as JSON reads back as the list, whatever characters it has."""
    assert json.loads(assets.to_json()) == assets.to_dict()


@given(LISTS)
@example(
    ClusterAssets(
        images=(ImageAsset(canonical="2024-01-02", download="0000-0-0T0:00:00"),), files=()
    )
)
def test_yaml_says_the_same(assets: ClusterAssets) -> None:
    """What is printed as YAML reads back as the list, whatever characters it has."""
    assert yaml.safe_load(assets.to_yaml()) == assets.to_dict()


def test_empty_lists_are_left_out() -> None:
    """A list without files has no key for them, as in kOps' omitempty."""
    assets = ClusterAssets(
        images=(ImageAsset(canonical="pause:3.9", download="pause:3.9"),), files=()
    )
    assert assets.to_dict() == {"images": [{"canonical": "pause:3.9", "download": "pause:3.9"}]}
    assert ClusterAssets(images=(), files=()).to_yaml() == "{}\n"


def test_unknown_hash_is_null() -> None:
    """A hash that nobody knows is null in JSON and YAML, and blank in the table."""
    assets = ClusterAssets(
        images=(), files=(FileAsset(canonical="https://a/b", download="https://a/b", sha=None),)
    )
    assert assets.to_json().endswith('"sha":null}]}')
    assert assets.to_yaml().endswith("  sha: null\n")
    assert assets.to_table().endswith("https://a/b\thttps://a/b\t\n")


def test_json_is_safe_in_html() -> None:
    """Go escapes the characters that HTML knows, and so do we."""
    assets = ClusterAssets(
        images=(), files=(FileAsset(canonical="https://a/b&d", download="https://a/b", sha=None),)
    )
    assert r"https://a/b\u0026d" in assets.to_json()


@pytest.mark.parametrize("text", ["1234", "1.5", "0x1f", "12e4", "yes", "null", "10:30", "a: b"])
def test_yaml_quotes_what_would_not_be_text(text: str) -> None:
    """A plain scalar that YAML would read as something else is quoted, with Go's double quotes."""
    assert (
        f'canonical: "{text}"'
        in ClusterAssets(images=(ImageAsset(canonical=text, download="x"),), files=()).to_yaml()
    )


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "it is not a mapping with the keys images and files"),
        ({"kind": "Cluster"}, "it has neither images nor files"),
        ({"images": {}, "files": "x"}, "files is not a list"),
        ({"images": ["x"]}, "images[0] is not a mapping"),
        ({"images": [{"canonical": "a"}]}, "images[0].download is not a name or URL"),
        ({"images": [{"canonical": 1, "download": "a"}]}, "images[0].canonical is not a name"),
        (
            {"files": [{"canonical": "a", "download": "b", "sha": "XYZ"}]},
            "files[0].sha is not a hash in lower-case hex",
        ),
        ({"images": [{"canonical": "a", "download": "b"}] * 2}, "images has a twice"),
    ],
)
def test_from_dict_refuses(data: Any, problem: str) -> None:
    """A list that is none is refused with the place of the problem."""
    with pytest.raises(InvalidInputError) as caught:
        ClusterAssets.from_dict(data)
    assert problem in str(caught.value)


def test_from_dict_tells_all_problems() -> None:
    """All problems of a list come at once."""
    data = {"images": [{"canonical": "a"}, 7], "files": [{"download": "b"}]}
    with pytest.raises(InvalidInputError) as caught:
        ClusterAssets.from_dict(data)
    assert len(caught.value.problems) == 3


def test_from_dict_ignores_other_keys() -> None:
    """A list may travel with further keys beside it."""
    assert ClusterAssets.from_dict({"images": [], "cluster": "x"}) == ClusterAssets(
        images=(), files=()
    )


def test_a_lists_hash_may_be_absent_or_empty() -> None:
    """Lists from elsewhere may leave a hash out."""
    row = {"canonical": "https://a/b", "download": "https://a/b"}
    for sha in ({}, {"sha": None}, {"sha": ""}):
        assert ClusterAssets.from_dict({"files": [row | sha]}).files[0].sha is None
