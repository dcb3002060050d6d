"""The release that a cluster was last updated with, and where it is not looked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.cluster import load_cluster
from kops_assets_provider.mirror.places.state.clusters import stored_kops_version
from kops_assets_provider.mirror.places.state.places import StateStores

SPECS = Path(__file__).parents[3] / "golden" / "1.36.2" / "specs"
MANIFEST = (SPECS / "own-aws-addons.yaml").read_text()


def cluster_at(config_base):
    return load_cluster(re.sub(r"configBase: .*", f"configBase: {config_base}", MANIFEST))


@pytest.mark.parametrize("note", ["1.36.2", "v1.36.2\n", "1.37.0-alpha.1"])
def test_the_release_is_noted_in_the_config_base(tmp_path, note):
    """It may be another place than the state store."""
    (tmp_path / "kops-version.txt").write_text(note)
    cluster = cluster_at(f"file://{tmp_path}")
    assert stored_kops_version(StateStores(), "/elsewhere", cluster) == note.strip()


SECRET_PLACES = [
    ("s3://state", "s3://state/a.example.com/secrets"),
    ("s3://state", "s3://other/pki/x"),
    ("s3://state/secrets", "s3://state/secrets/a.example.com/pki"),
    ("file:///state", "file:///state/pki"),
    ("/state", "/state/secrets/x"),
]
OTHER_KINDS = [
    ("s3://state", "file:///etc"),
    ("s3://state", "/etc"),
    ("s3://state", "gs://state/a.example.com"),
    ("/state", "s3://state/a.example.com"),
    ("/state", "memfs://tests/a.example.com"),
    ("s3://state", "relative/path"),
]


@pytest.mark.parametrize(
    ("state_store", "base", "words"),
    [
        *((*x, "pki/ and secrets/ is never read") for x in SECRET_PLACES),
        *((*x, "as the state store is") for x in OTHER_KINDS),
    ],
)
def test_a_config_base_is_not_followed_anywhere(state_store, base, words):
    """Whoever writes the spec must not aim our rights; the error says what to do instead."""
    with pytest.raises(InvalidInputError, match=f"configBase {base} is not followed: ") as error:
        stored_kops_version(StateStores(nobody, nobody), state_store, cluster_at(base))
    assert words in str(error.value)
    assert "say kops_version instead" in str(error.value)


def nobody():
    raise AssertionError("no client may be made")


@pytest.mark.parametrize("base", ["gs://KEY:SEC/RET@bucket/x", "s3://KEY:SECRET@bucket/pki"])
def test_a_config_base_is_told_without_secrets(base):
    """It may have been meant for another program."""
    with pytest.raises(InvalidInputError, match=r"configBase (s3|gs)://bucket/") as error:
        stored_kops_version(StateStores(nobody, nobody), "s3://state", cluster_at(base))
    assert not re.search("KEY|SEC|RET", str(error.value))


def test_the_folder_of_the_state_store_may_be_called_anything(tmp_path):
    """Only below it are the names kOps'."""
    root = tmp_path / "secrets" / "state"
    root.joinpath("a.example.com").mkdir(parents=True)
    (root / "a.example.com" / "kops-version.txt").write_text("1.36.2")
    cluster = cluster_at(f"{root}/a.example.com")
    assert stored_kops_version(StateStores(), str(root), cluster) == "1.36.2"


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
        stored_kops_version(StateStores(), "/state", cluster_at(f"file://{tmp_path}"))
