"""Catalogues: those that there are, and what is wrong with one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import kops_assets_provider.kops.catalog as package
from kops_assets_provider.exceptions import InvalidCatalogError, UnknownReleaseError
from kops_assets_provider.kops.catalog import known_releases, load_release
from kops_assets_provider.kops.catalog.entries import Release
from kops_assets_provider.kops.catalog.hashes import TABLES, known
from kops_assets_provider.kops.catalog.reader import read_catalogue
from kops_assets_provider.kops.semver import Version

FOLDER = Path(package.__file__).parent
SMALL: dict[str, Any] = {
    "kops": "9.8.7",
    "kubernetes": {"oldest": "1.31.0", "newest_minor": 36},
    "architectures": ["amd64"],
    "facts": {"aws": 'cloud == "aws"'},
    "refusals": [{"name": "r", "origin": "o", "when": "aws", "because": "no {cloud}"}],
    "defaults": [{"name": "d", "set": "containerd.version", "origin": "o", "to": "1.0.0"}],
    "images": [{"name": "i", "origin": "o", "images": ["a:{kops_tag}"]}],
    "files": [{"name": "f", "origin": "o", "files": [{"url": "https://h/{arch}"}]}],
}


def read(*catalogues: dict[str, Any]) -> Release:
    """Read the first of these catalogues; the others are what it may be based on."""
    texts = {c["kops"]: yaml.safe_dump(c, sort_keys=False) for c in catalogues}
    return read_catalogue(catalogues[0]["kops"], texts.get)


def problems_of(catalogue: Any) -> str:
    text = yaml.safe_dump(catalogue, sort_keys=False)
    with pytest.raises(InvalidCatalogError) as caught:
        read_catalogue("9.8.7", {"9.8.7": text}.get)
    assert str(caught.value).startswith("9.8.7.yaml: ")
    return str(caught.value)


@pytest.mark.parametrize("release", known_releases())
def test_every_catalogue_loads(release: str) -> None:
    """Each file is a valid catalogue of the release that it is named for, with its hashes."""
    loaded = load_release(release)
    assert loaded.version == release
    assert loaded.images
    assert loaded.files
    assert loaded.find_sha("https://example.com/nothing") is None
    assert len(known(release)) > 500


def test_hash_tables_are_well_formed() -> None:
    """Hashes stand as sha256sum writes them, each once, below the known releases with them."""
    lines = TABLES.read_text().splitlines()
    hashes = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[0-9a-f]{64}  https://\S+", line) for line in hashes)
    assert len(set(hashes)) == len(hashes) > 1000
    named = {tuple(line[1:].split()) for line in lines if line.startswith("#")}
    assert {release for releases in named for release in releases} == set(known_releases())


def test_the_engine_knows_no_release() -> None:
    """No version of kOps, of Kubernetes or of an image stands in the code, only in the data."""
    files = list(FOLDER.parent.rglob("*.py"))
    code = {f.name: re.sub(r'""".*?"""|#.*', "", f.read_text(), flags=re.DOTALL) for f in files}
    assert len(code) > 10
    found = {name: re.findall(r"\bv?\d+\.\d+\.\d+\b", text) for name, text in code.items()}
    assert {name for name, versions in found.items() if versions} == set()


def test_known_releases_are_in_order() -> None:
    """Releases are sorted as versions."""
    versions = [tuple(map(int, release.split("."))) for release in known_releases()]
    assert versions == sorted(versions)
    assert (1, 36, 2) in versions


def test_a_release_may_have_a_v() -> None:
    """v1.36.2 and 1.36.2 are the same release."""
    assert load_release("v1.36.2").version == "1.36.2"


@pytest.mark.parametrize("version", ["1.99.0", "", "latest", "../1.36.2"])
def test_unknown_release_names_the_known_ones(version: str) -> None:
    """Who asks for another release hears which there are."""
    with pytest.raises(UnknownReleaseError, match=r"known releases: .*1\.36\.2"):
        load_release(version)


def test_find_sha_knows_what_kops_knows() -> None:
    """Embedded hashes and constants are found by canonical URL; nodeup's is not on board."""
    find_sha = load_release("1.36.2").find_sha
    nerdctl = "https://github.com/containerd/nerdctl/releases/download/v1.7.4/nerdctl-1.7.4-linux"
    assert find_sha(f"{nerdctl}-amd64.tar.gz") == (
        "71aee9d987b7fad0ff2ade50b038ad7e2356324edc02c54045960a3521b3e6a7"
    )
    assert find_sha("https://artifacts.k8s.io/binaries/kops/1.36.2/linux/amd64/nodeup") is None


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        (Version(major=1, minor=30, patch=9), False),
        (Version(major=1, minor=31), True),
        (Version(major=1, minor=36, patch=99), True),
        (Version(major=1, minor=37), False),
        (Version(major=2, minor=31), False),
    ],
)
def test_supported_kubernetes_versions(version: Version, *, supported: bool) -> None:
    """A release supports from its oldest version to its own minor version."""
    assert load_release("1.36.2").supports(version) is supported


def test_a_small_catalogue_is_read() -> None:
    """The catalogue that the tests below damage is whole."""
    assert read(SMALL).version == "9.8.7"


IMAGE = {"name": "i", "origin": "o"}
FILE = {"name": "f", "origin": "o"}
DEFAULT = {"name": "d", "set": "containerd.version", "origin": "o"}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"more": 1}, "catalogue: unknown key 'more'"),
        ({"kops": 1.36}, "kops: 1.36 where a str should be"),
        (
            {"kubernetes": {"oldest": "x", "newest_minor": 1}},
            "kubernetes.oldest: 'x' is no version",
        ),
        ({"kubernetes": {"oldest": "1.0"}}, "kubernetes: newest_minor is missing"),
        ({"facts": {"x": "nope.enabled"}}, "facts.x: nope.enabled is not known here"),
        ({"facts": {"x": "k8s >="}}, "facts.x: 'k8s >=': '' where a literal should be"),
        ({"facts": {"x": "later", "later": "aws"}}, "facts.x: later is not known here"),
        ({"facts": {"cloud": "k8s_from_url"}}, "facts.cloud: cloud means something already"),
        ({"facts": {"x": "cloud"}}, "facts.x: cloud is text, which does not fit"),
        ({"facts": {"x": 'k8s_minor == "a"'}}, "k8s_minor is a whole number, which does not fit"),
        ({"facts": {"x": 'cloud < "b"'}}, "only numbers and versions have an order"),
        ({"facts": {"x": "k8s is set"}}, "k8s is a version, which does not fit"),
        (
            {"facts": {"x": "any_instance_group(kubernetesVersion is set)"}},
            "facts.x: kubernetesVersion is not known here",
        ),
        ({"images": [{**IMAGE}]}, "images.i: images is missing"),
        ({"images": [{"name": "i", "images": []}]}, "images.i: it has no origin"),
        (
            {"images": [{**IMAGE, "images": []}, {**IMAGE, "images": []}]},
            "images.i: the name occurs twice",
        ),
        (
            {"images": [{**IMAGE, "when": "and", "images": []}]},
            "images.i.when: 'and': 'and' where a name should be",
        ),
        (
            {"images": [{**IMAGE, "images": ["a:{arch}"]}]},
            "images.i.images[0].image: arch is not known here",
        ),
        (
            {"images": [{**IMAGE, "images": ["a:{networking.cilium}"]}]},
            "networking.cilium is a mapping, which does not fit",
        ),
        ({"images": [{**IMAGE, "images": ["a:{"]}]}, "has a brace that is no placeholder"),
        (
            {"images": [{**IMAGE, "images": [], "for_each": "pod"}]},
            "images.i: for_each 'pod' is none of ['additional_images', 'etcd_clusters',",
        ),
        (
            {
                "images": [
                    {**IMAGE, "for_each": "etcd_clusters", "images": ["{name}{cloudProvider}"]}
                ]
            },
            "images.i.images[0].image: cloudProvider is not known here",
        ),
        (
            {"images": [{**IMAGE, "images": [{"image": "a", "unless": "x"}]}]},
            "images.i.images[0]: unknown key 'unless'",
        ),
        (
            {"files": [{**FILE, "files": [{"base": "x"}]}]},
            "files.f.files[0]: url is missing",
        ),
        (
            {
                "facts": {"amd": 'arch == "amd64"'},
                "images": [{**IMAGE, "when": "amd", "images": []}],
            },
            "images.i.when: amd is not known here",
        ),
        (
            {"defaults": [{**DEFAULT, "set": "nope", "to": "x"}]},
            "defaults.d: nope is no text field of a spec",
        ),
        (
            {"defaults": [{**DEFAULT, "to": [{"value": 1.7}]}]},
            "defaults.d.to[0].value: 1.7 where a str should be",
        ),
        ({"facts": {"x": "k8s_from_url"}}, "facts.x: not used"),
        ({"defaults": [DEFAULT]}, "defaults.d: to is missing"),
        ({"refusals": ["x"]}, "refusals[0]: 'x' where a dict should be"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_damage_is_named(change: Any, problem: str) -> None:
    """Damage in a catalogue is found when it is read, with its entry."""
    assert problem in problems_of({**SMALL, **change})


@pytest.mark.parametrize(
    ("text", "problem"), [("a: [", "it is not YAML"), ("", "not one mapping"), ("- 1", "not one")]
)
def test_what_is_no_catalogue(text: str, problem: str) -> None:
    """A file that is no mapping is no catalogue."""
    with pytest.raises(InvalidCatalogError, match=f"^9.8.7.yaml: .*{problem}"):
        read_catalogue("9.8.7", {"9.8.7": text}.get)


def test_a_fact_may_use_the_whole_language() -> None:
    """Loops and replaced addons may occur in a fact, and a fact in an entry."""
    facts = {"x": 'not replaced("a")', "aws": "any_etcd_cluster(image is set) or (x and not x)"}
    assert read({**SMALL, "facts": facts}).facts


def test_all_damage_is_told_at_once() -> None:
    """A reviewer sees every problem of a file."""
    damaged = {**SMALL, "kops": 1, "images": "x", "facts": {"x": "and"}}
    problems = problems_of({**damaged, "images": [{**IMAGE, "images": []}]})
    # Beside the two: what used the fact.
    assert problems.count(";") >= 2


LATER: dict[str, Any] = {"kops": "9.8.8", "based_on": "9.8.7"}


def test_a_release_may_state_only_what_differs() -> None:
    """An entry replaces the base's of that name or joins them, and the removed ones are gone."""
    later = {
        **LATER,
        "kubernetes": {"oldest": "1.32.0", "newest_minor": 37},
        "removed": {"refusals": ["r"], "facts": ["aws"]},
        "defaults": [{**DEFAULT, "to": [{"when": "k8s_from_url", "value": "1.0"}, "2.0"]}],
        "images": [{**IMAGE, "name": "j", "images": ["b"]}],
    }
    release = read(later, SMALL)
    assert (release.version, release.newest_minor) == ("9.8.8", 37)
    assert [rule.image.parts for entry in release.images for rule in entry.rules] == [
        read(SMALL).images[0].rules[0].image.parts,
        ("b",),
    ]
    assert [default.value.parts for default in release.defaults] == [("1.0",), ("2.0",)]
    assert release.files == read(SMALL).files
    assert not release.refusals
    assert not release.facts


@pytest.mark.parametrize(
    ("later", "problem"),
    [
        ({"based_on": "9.8.6"}, "9.8.8.yaml: based_on: there is no catalogue for '9.8.6'"),
        ({"based_on": 1.36}, "9.8.8.yaml: based_on: there is no catalogue for 1.36"),
        ({"based_on": "9.8.8"}, "9.8.8.yaml: based_on: 9.8.8 is based on itself"),
        ({"based": "9.8.6"}, "9.8.8.yaml: catalogue: unknown key 'based'"),
        ({"files": SMALL["files"]}, "9.8.8.yaml: files.f: 9.8.7.yaml says the same"),
        ({"facts": {"aws": 'cloud == "a"', "x": "aws"}}, "9.8.8.yaml: facts.x: not used"),
        ({"removed": {"facts": ["aws"]}}, "9.8.7.yaml: refusals.r.when: aws is not known here"),
        ({"removed": {"images": ["j"]}}, "9.8.8.yaml: removed.images: the base has no j"),
        ({"removed": {"kops": ["j"]}}, "9.8.8.yaml: removed.kops: it is none of facts, refusals"),
        ({"removed": {"files": "f"}}, "9.8.8.yaml: removed.files: 'f' where a list should be"),
        ({"images": ["i"]}, "9.8.8.yaml: images[0]: 'i' where a dict should be"),
        ({"images": [{**IMAGE, "images": ["{x"]}]}, "9.8.8.yaml: images.i.images[0].image: '{x'"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_damage_is_found_in_the_file_that_has_it(later: dict[str, Any], problem: str) -> None:
    """Where a release is based on another, a problem is told with the file that states it."""
    with pytest.raises(InvalidCatalogError) as caught:
        read({**LATER, **later}, SMALL)
    assert problem in str(caught.value)


def test_a_file_is_named_for_its_release() -> None:
    """A catalogue that was copied, and not told so, is refused."""
    text = yaml.safe_dump(SMALL, sort_keys=False)
    with pytest.raises(InvalidCatalogError, match=r"9\.8\.9\.yaml: kops: it says 9\.8\.7"):
        read_catalogue("9.8.9", {"9.8.9": text}.get)
