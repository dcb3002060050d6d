"""A tree is explained by its catalogue, entry by entry, and by nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from import_release.__main__ import import_release, main, nearest_release, report
from import_release.compare import differences, entries_of
from import_release.evidence import FILE, Evidence, read_evidence, release_of, scan
from import_release.findings import Finding
from synthetic_tree import OLDEST, SyntheticTree, make_tree

from kops_assets_provider.kops.catalog import catalogue_text, known_releases, load_release
from kops_assets_provider.kops.catalog.layers import SECTIONS, Stated, Whole, read_whole

NEWEST = known_releases()[-1]
# A clone of kOps with its tags; kOps' source is not ours to carry along.
CLONE = os.environ.get("KOPS_CLONE")


def whole_of(release: str) -> Whole:
    return read_whole(release, catalogue_text)


def found_in(tree: SyntheticTree) -> list[Finding]:
    return list(scan(tree.root, tree.evidence.functions))


@pytest.fixture
def newest(tmp_path: Path) -> SyntheticTree:
    """A tree that the newest catalogue explains."""
    return make_tree(tmp_path, whole_of(NEWEST))


@pytest.fixture(scope="module")
def kops_tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """kOps' own tree at a release."""
    if not CLONE:
        pytest.fail("KOPS_CLONE must name a clone of kOps with its tags")
    root = tmp_path_factory.mktemp("kops")

    def checked_out(release: str) -> Path:
        tree = root / release
        tree.mkdir()
        archive = root / f"{release}.tar"
        git = ["git", "-C", CLONE, "archive", "-o", str(archive), f"v{release}"]
        subprocess.run([*git, "kops-version.go", "cmd", "pkg", "upup", "util"], check=True)
        shutil.unpack_archive(archive, tree, filter="data")
        archive.unlink()
        return tree

    yield checked_out
    shutil.rmtree(root)


RULES = {"defaults": "to", "images": "images", "files": "files"}


def without_one(whole: Whole) -> Iterator[str]:
    """Take each entry, and each image, file and value of an entry, out in turn; yield its name."""
    # A fact is missed when the catalogue is loaded: each is used, see kops/test_catalog.py.
    for section in set(SECTIONS) - {"facts"}:
        entries = whole.sections[section]
        for name, stated in entries.items():
            whole.sections[section] = {n: e for n, e in entries.items() if n != name}
            yield f"{section}.{name}"
            key = RULES.get(section, "")
            rules = stated.value.get(key) if isinstance(stated.value.get(key), list) else []
            for number in range(len(rules)):
                rest = rules[:number] + rules[number + 1 :]
                entry = Stated(file=stated.file, value={**stated.value, key: rest})
                whole.sections[section] = {**entries, name: entry}
                yield f"{section}.{name}"
        whole.sections[section] = entries


def silent_deletions(findings: list[Finding], release: str, evidence: Evidence) -> list[str]:
    """Return what nobody would miss: the entries whose deletion is not reported."""
    whole = whole_of(release)
    return [
        name
        for name in without_one(whole)
        if not any(name in line for line in differences(findings, whole, evidence))
    ]


@pytest.mark.parametrize("release", known_releases())
def test_a_tree_is_explained_by_its_catalogue(tmp_path: Path, release: str) -> None:
    """On a tree that is fully covered nothing is reported; without any one entry, that entry is."""
    tree = make_tree(tmp_path, whole_of(release))
    findings = found_in(tree)
    assert len(findings) > 150
    assert list(differences(findings, whole_of(release), tree.evidence)) == []
    assert silent_deletions(findings, release, tree.evidence) == []


@pytest.mark.long
@pytest.mark.parametrize("release", known_releases())
def test_kops_is_explained_by_the_catalogues(
    kops_tree: Callable[[str], Path], tmp_path: Path, release: str
) -> None:
    """The same holds for kOps' own trees, and our hashes are theirs."""
    tree = kops_tree(release)
    assert report(tree, release) == []
    evidence = read_evidence(FILE.read_text())
    findings = list(scan(tree, evidence.functions))
    assert silent_deletions(findings, release, evidence) == []
    tables = tmp_path / "sha256sums"
    tables.write_text("")
    assert import_release(tree, tables) == 0
    ours = load_release(release)
    hashes = [line for line in tables.read_text().splitlines() if not line.startswith("#")]
    assert all(ours.find_sha(line[66:]) == line[:64] for line in hashes)


def test_every_form_of_an_entry_is_in_the_evidence() -> None:
    """An entry that was changed by hand is compared with kOps' lines again before it counts."""
    evidence = read_evidence(FILE.read_text())
    for release in known_releases():
        told = differences([], whole_of(release), evidence)
        assert [line for line in told if "this form" in line] == []


def test_the_evidence_speaks_of_entries_that_there_are() -> None:
    """No line of kOps' is explained by an entry that no catalogue has."""
    names = {name for release in known_releases() for name, _ in entries_of(whole_of(release))}
    explained = yaml.safe_load(FILE.read_text())["explained"]
    assert explained.keys() == names


def changed(section: str, name: str, **changes: Any) -> Whole:
    """Return the newest catalogue with one entry changed."""
    whole = whole_of(NEWEST)
    stated = whole.sections[section][name]
    whole.sections[section][name] = Stated(file=stated.file, value={**stated.value, **changes})
    return whole


@pytest.mark.parametrize(
    ("section", "name", "changes", "told"),
    [
        (
            "images",
            "flannel",
            {"images": ["ghcr.io/flannel-io/flannel-cni-plugin:v9.9.9"]},
            "images.flannel: 9.9.9 is not in addons/networking.flannel",
        ),
        (
            "images",
            "flannel",
            {"images": ["ghcr.io/flannel-io/flannel-cni-plugin:v9.9.9"]},
            "images.flannel: says nothing of 'ghcr.io/flannel-io/flannel:v",
        ),
        ("images", "flannel", {"when": "networking.cni is set"}, "images.flannel: this form"),
        ("images", "flannel", {"origin": "addons/x.yaml"}, "images.flannel: there is nothing in"),
        ("defaults", "containerd", {"to": "2.2.4"}, "defaults.containerd: says nothing of '1.7.32"),
        ("refusals", "cni-plugins", {"when": "cni_plugins"}, "refusals.cni-plugins: this form"),
    ],
)
def test_what_a_catalogue_says_otherwise_is_told(
    newest: SyntheticTree, section: str, name: str, changes: dict[str, Any], told: str
) -> None:
    """A value, a condition or an origin that is not the tree's is reported with its entry."""
    whole = changed(section, name, **changes)
    found = list(differences(found_in(newest), whole, newest.evidence))
    assert any(told in line for line in found)


def test_a_new_image_is_told_with_the_conditions_around_it(newest: SyntheticTree) -> None:
    """A line that nothing explains is reported with its place, key and enclosing blocks."""
    newest.add("addons/new/k8s.yaml.template", "{{ if .New }}\n  image: a/b:v1\n{{ end }}\n")
    (line,) = differences(found_in(newest), whole_of(NEWEST), newest.evidence)
    assert line.startswith("not explained: addons/new/k8s.yaml.template:2 [")
    assert line.endswith("] image: a/b:v1\n      in if .New")


def test_what_is_gone_from_the_tree_is_told(newest: SyntheticTree) -> None:
    """An entry whose lines are gone is reported."""
    findings = [f for f in found_in(newest) if not f.path.startswith("addons/networking.flannel")]
    told = list(differences(findings, whole_of(NEWEST), newest.evidence))
    assert told == ["images.flannel: there is no line that says so any more"]


def test_a_new_version_is_another_value_of_the_same_line(newest: SyntheticTree) -> None:
    """A release that only takes a newer version needs no new evidence, only the new version."""
    (file,) = newest.root.rglob("addons/networking.flannel/*.template")
    file.write_text(file.read_text().replace("flannel:v0.", "flannel:v7."))
    told = list(differences(found_in(newest), whole_of(NEWEST), newest.evidence))
    assert len(told) == 2
    assert "images.flannel: says nothing of 'ghcr.io/flannel-io/flannel:v7." in told[0]


@pytest.mark.parametrize(
    ("release", "nearest"),
    [("1.36.1", "1.36.1"), ("1.37.0-alpha.1", NEWEST), ("1.35.9", "1.35.2"), ("1.20.0", "1.34.0")],
)
def test_nearest_release(release: str, nearest: str) -> None:
    """A tree is compared with its own catalogue, or else the last before it."""
    assert nearest_release(release) == nearest


def test_the_command_writes_hashes_and_reports(
    newest: SyntheticTree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hashes of the tree join the table; what is not explained ends the command with 1."""
    newest.add(
        "pkg/assets/assetdata/new.yaml",
        yaml.safe_dump(
            {
                "filestores": [{"base": "https://example.com/"}],
                "files": [{"name": "new-linux-amd64", "sha256": "0" * 64}],
            }
        ),
    )
    tables = tmp_path / "sha256sums"
    tables.write_text(f"# 1.0.0\n{'1' * 64}  https://example.com/old-amd64\n")
    assert import_release(newest.root, tables) == 1
    assert f"# {NEWEST}\n{'0' * 64}  https://example.com/new-linux-amd64" in tables.read_text()
    assert "# 1.0.0\n1111" in tables.read_text()
    assert f"kOps {NEWEST}: 1 hashes in sha256sums" in capsys.readouterr().out


def test_report_only_writes_nothing(
    newest: SyntheticTree, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --report-only the hashes stay as they are."""
    assert main(["--report-only", str(newest.root)]) == 1
    assert "hashes in" not in capsys.readouterr().out
    assert release_of(newest.root) == NEWEST


def test_show_prints_a_catalogue_with_nothing_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a release states and what it takes from its base are printed as one catalogue."""
    assert main(["--show", "1.35.2"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["kops"] == "1.35.2"
    assert "based_on" not in shown
    names = [entry["name"] for entry in shown["images"]]
    assert {"kops-controller", "etcd", "azure-cloud-node"} <= set(names)
    assert "channels" not in names


@pytest.mark.parametrize("argv", [["/nowhere"], ["--show", "0.0.1"]])
def test_what_cannot_be_done_is_told(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No tree, and no such release, end the command with status 2 and one line."""
    assert main(argv) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_oldest_kubernetes_version_is_compared(newest: SyntheticTree) -> None:
    """The range of Kubernetes versions is the tree's."""
    file = newest.root / OLDEST
    file.write_text(file.read_text().replace("1.31.0", "1.32.0"))
    told = list(differences(found_in(newest), whole_of(NEWEST), newest.evidence))
    assert told[0].startswith("kubernetes: says nothing of '1.32.0'")
