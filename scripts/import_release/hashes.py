"""The file hashes that a kOps release has on board, from its tree and in our table."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

ASSETDATA = "pkg/assets/assetdata"
NERDCTL = "pkg/nodemodel/wellknownassets/nerdctl.go"
NERDCTL_CONSTANT = re.compile(r'nerdctlAsset(Url|Hash)(Amd64|Arm64)\s*=\s*"([^"]+)"')
# Until 1.34 the credential provider of GCE was not in assetdata.
GCE = "pkg/nodemodel/fileassets.go"
GCE_URL = re.compile(
    r'"(https://storage\.googleapis\.com/[^"]+)".*?"%s(/linux-)%s(/[^"]+)"', re.DOTALL
)
GCE_CONSTANT = re.compile(r'"(amd64|arm64)":\s*"([0-9a-f]{64})"')
# Of the Kubernetes binaries nodes fetch these; GCE nodes fetched the mounter until 1.35.
KUBERNETES = re.compile(r"v[^/]+/bin/linux/(amd64|arm64)/(kubelet|kubectl|mounter)")
OTHERS = re.compile(r"\S*(amd64|arm64)\S*")
SHA256 = re.compile(r"[0-9a-f]{64}")

Table = Mapping[str, str]


class TwoHashesError(Exception):
    """A tree gives two hashes for one URL."""


def of_tree(tree: Path) -> dict[str, str]:
    """
    Return what the release knows without asking anybody: URL to SHA-256.

    :raises TwoHashesError: the tree contradicts itself
    """
    table: dict[str, str] = {}
    for url, sha in [*_embedded(tree), *_nerdctl(tree), *_gce(tree)]:
        if table.setdefault(url, sha) != sha:
            raise TwoHashesError(f"two hashes for {url}")
    return table


def _embedded(tree: Path) -> Iterator[tuple[str, str]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for file in sorted((tree / ASSETDATA).glob("*.yaml")):
        wanted = KUBERNETES if file.name.startswith("k8s-") else OTHERS
        data = yaml.load(file.read_text(), loader)  # noqa: S506  # one of the two safe ones
        for store in data["filestores"]:
            for entry in data["files"]:
                # The tables of runc have lines that are no hashes ("Hash:").
                if wanted.fullmatch(entry["name"]) and SHA256.fullmatch(entry["sha256"]):
                    yield store["base"] + entry["name"], entry["sha256"]


def _nerdctl(tree: Path) -> list[tuple[str, str]]:
    found = NERDCTL_CONSTANT.findall(_text(tree, NERDCTL))
    values = {(what, arch): value for what, arch, value in found}
    arches = [arch for what, arch in values if what == "Hash"]
    return [(values["Url", arch], values["Hash", arch]) for arch in arches]


def _gce(tree: Path) -> Iterator[tuple[str, str]]:
    source = _text(tree, GCE)
    if url := GCE_URL.search(source):
        for arch, sha in GCE_CONSTANT.findall(source):
            yield url[1] + url[2] + arch + url[3], sha


def _text(tree: Path, path: str) -> str:
    file = tree / path
    return file.read_text() if file.is_file() else ""


def read_tables(text: str) -> dict[str, dict[str, str]]:
    """Return each release's table from the text of our ``sha256sums``."""
    tables: dict[str, dict[str, str]] = defaultdict(dict)
    releases: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            releases = line[1:].split()
        elif line:
            sha, _, url = line.partition("  ")
            for release in releases:
                tables[release][url] = sha
    return tables


def write_tables(tables: Mapping[str, Table]) -> str:
    """Return the text of ``sha256sums``: each hash once, below the releases that carry it."""
    carriers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for release in sorted(tables, key=_by_number):
        for pair in tables[release].items():
            carriers[pair].append(release)
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for (url, sha), releases in sorted(carriers.items()):
        groups[tuple(releases)].append(f"{sha}  {url}")
    blocks = [
        "\n".join([f"# {' '.join(releases)}", *groups[releases]])
        for releases in sorted(groups, key=lambda group: [_by_number(r) for r in group])
    ]
    return "\n\n".join(blocks) + "\n"


def _by_number(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]
