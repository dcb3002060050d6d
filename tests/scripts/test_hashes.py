"""Hash tables: from a tree, and in our file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from import_release import hashes
from synthetic_tree import SyntheticTree

from kops_assets_provider.kops.catalog.hashes import TABLES, known

ONE, TWO = "1" * 64, "2" * 64


def assetdata(tree: Path, name: str, base: str, **files: str) -> None:
    entries = [{"name": path, "sha256": sha} for path, sha in files.items()]
    SyntheticTree(tree).add(
        f"{hashes.ASSETDATA}/{name}.yaml",
        yaml.safe_dump({"filestores": [{"base": base}], "files": entries}),
    )


def test_of_tree(tmp_path: Path) -> None:
    """Of the Kubernetes binaries those that nodes fetch are kept, of the others those for Linux."""
    kubelet = "v1.0.0/bin/linux/amd64/kubelet"
    wanted = {kubelet: ONE, "v1.0.0/bin/linux/amd64/kube-proxy": TWO}
    assetdata(tmp_path, "k8s-1.0", "https://k/", **wanted)
    assetdata(tmp_path, "runc", "https://r/", **{"runc.arm64": TWO, "sums": ONE, "a-amd64": "x:"})
    assert hashes.of_tree(tmp_path) == {f"https://k/{kubelet}": ONE, "https://r/runc.arm64": TWO}


def test_constants_in_the_code(tmp_path: Path) -> None:
    """nerdctl's hashes, and until 1.34 those of a binary for GCE, are constants."""
    tree = SyntheticTree(tmp_path)
    tree.add(hashes.NERDCTL, f'nerdctlAssetUrlAmd64 = "https://n"\nnerdctlAssetHashAmd64 = "{ONE}"')
    tree.add(
        hashes.GCE,
        f'x = "https://storage.googleapis.com/b"\ny("%s/linux-%s/v1")\n"arm64": "{TWO}",\n',
    )
    assert hashes.of_tree(tmp_path) == {
        "https://n": ONE,
        "https://storage.googleapis.com/b/linux-arm64/v1": TWO,
    }


def test_two_hashes_for_one_url(tmp_path: Path) -> None:
    """A tree that contradicts itself is refused."""
    assetdata(tmp_path, "a", "https://r/", **{"a-amd64": ONE})
    assetdata(tmp_path, "b", "https://r/", **{"a-amd64": TWO})
    with pytest.raises(hashes.TwoHashesError, match="two hashes for https://r/a-amd64"):
        hashes.of_tree(tmp_path)


def test_each_hash_stands_once() -> None:
    """What several releases carry stands below all of their names, in the order of versions."""
    tables = {"1.10.0": {"u": ONE, "v": ONE}, "1.9.0": {"u": ONE}, "1.9.1": {"u": TWO}}
    text = hashes.write_tables(tables)
    assert text == f"# 1.9.0 1.10.0\n{ONE}  u\n\n# 1.9.1\n{TWO}  u\n\n# 1.10.0\n{ONE}  v\n"
    assert hashes.read_tables(text) == tables


def test_our_file_is_as_the_script_writes_it() -> None:
    """Nobody edits the table by hand, and the package reads what the script does."""
    text = TABLES.read_text()
    tables = hashes.read_tables(text)
    assert hashes.write_tables(tables) == text
    assert all(known(release) == table for release, table in tables.items())
