"""Targets are compared as the places that would be written, however their names are spelled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import ConflictingTargetsError
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.lists.fleet import FleetList
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint, default_url
from kops_assets_provider.mirror.places.target_conflicts import image_writes, split_conflicts
from kops_assets_provider.mirror.plan.files import plan_files
from kops_assets_provider.mirror.plan.images import plan_images
from kops_assets_provider.mirror.record.places import document_writes
from kops_assets_provider.mirror.report.fleet import FleetReport, group_report
from kops_assets_provider.mirror.report.task_results import Results
from kops_assets_provider.mirror.run.mirror import Mirror

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
BASE = "https://files.example.com"
SHA, OTHER = "ab" * 32, "cd" * 32
SIDECAR = hashlib.sha256(SHA.encode()).hexdigest()


def split_images(*downloads, canonicals=("k.test/one:1", "k.test/two:1")):
    assets = [
        ImageAsset(canonical=x, download=y) for x, y in zip(canonicals, downloads, strict=True)
    ]
    return split_conflicts(assets, image_writes(assets, default_url_of))


def default_url_of(download):
    return Registries().target_url(download)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("m.test/x:1", "m.test/x:1"),
        ("m.test/x", "m.test/x:latest"),
        ("m.test/y:1", f"m.test/y:1@{A}"),
        (f"m.test/y:1@{B}", f"m.test/y:1@{A}"),
        ("M.Test/x:1", "m.test/x:1"),
        ("M.Test:5000/x:1", "m.test:5000/x:1"),
        ("m.test:443/x:1", "m.test/x:1"),
        ("m.test:0443/x:1", "m.test/x:1"),
        ("[2001:db8::1]:5000/x:1", "[2001:DB8:0:0:0:0:0:1]:5000/x:1"),
        ("[2001:db8::1]/x:1", "[2001:0db8::0001]:443/x:1"),
        ("127.0.0.1:5000/x:1", "127.1:5000/x:1"),
        ("localhost:80/x:1", "localhost:080/x:1"),
        ("x:1", "docker.io/library/x:1"),
        ("index.docker.io/library/x:1", "registry-1.docker.io/library/x:1"),
        ("not a name", "not a name"),
    ],
)
def test_two_images_at_one_place_are_refused(first: str, second: str) -> None:
    """The tag would be that of whichever is copied last; the error names both."""
    with pytest.raises(ConflictingTargetsError) as caught:
        split_images(first, second)
    assert "k.test/one:1" in str(caught.value)
    assert "k.test/two:1" in str(caught.value)
    assert first in str(caught.value)
    assert second in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("m.test/x:1", "m.test/x:2"),
        ("m.test/x", "m.test/y"),
        ("m.test/x", "n.test/x"),
        ("m.test/x:1", "m.test/x:1-rc"),
        ("m.test:5000/x", "m.test/x"),
        # A digest is the same image, whatever its source: a copy verifies it.
        (f"m.test/x@{A}", f"m.test/x@{A}"),
        (f"m.test/x:1@{A}", f"m.test/x:1@{A}"),
        (f"m.test/x@{A}", f"m.test/x@{B}"),
        ("m.test/x:1", f"m.test/x@{A}"),
    ],
)
def test_other_places_and_equal_content_are_not(first: str, second: str) -> None:
    """Nothing is lost, whichever is copied last."""
    assets, outcomes = split_images(first, second)
    assert (len(assets), outcomes) == (2, ())


@pytest.mark.parametrize(
    "canonicals", [("x", "docker.io/library/x:latest"), (f"k.test/x:1@{A}", f"k.test/y@{A}")]
)
def test_one_source_under_two_names_is_one(canonicals: tuple[str, str]) -> None:
    """Docker Hub's short names mean the long ones, and a digest is the image."""
    assert split_images("m.test/x", "m.test/x:latest", canonicals=canonicals)[1] == ()


def test_two_hosts_that_are_one_registry() -> None:
    """By their connections, which say where a host's registry really is."""
    registries = Registries(lambda host: RegistryEndpoint(url=default_url("real.test")))
    assets = [
        ImageAsset(canonical="k.test/one", download="m.test/x"),
        ImageAsset(canonical="k.test/two", download="n.test/x"),
    ]
    with pytest.raises(ConflictingTargetsError, match=r"k\.test/one .* and k\.test/two"):
        plan_images(assets, registries)


def test_an_image_that_is_not_mirrored_keeps_its_place() -> None:
    """Nodes pull it there as it is, so no other may be copied over it."""
    canonicals = "m.test/x:1", "k.test/x:1"
    with pytest.raises(ConflictingTargetsError):
        split_images("m.test/x:1", "m.test/x:1", canonicals=canonicals)


class Files:
    """A directory, and a list of files in it."""

    def __init__(self, folder: Path, targets: dict[str, str] | None = None) -> None:
        self.folder = folder
        openers = {Scheme.FILE: lambda target: DirectoryStore(target.root)}
        self.stores = FileStores(openers, targets or {BASE: f"{folder}/a"})

    def listed(self, *files: FileAsset, cluster: str = "c") -> AssetList:
        return AssetList(
            cluster=cluster, kops_version="1.36.2", assets=ClusterAssets(images=(), files=files)
        )

    def mirror(self, **options: str) -> Mirror:
        return Mirror(registries=Registries(), stores=self.stores, **options)

    def refuse(self, *files: FileAsset, **options: str) -> str:
        """Return the error, which check, copy and dry run must have alike."""
        listed, mirror, errors = self.listed(*files), self.mirror(**options), set()
        for run in (mirror.check, mirror.copy, mirror.dry_run):
            with pytest.raises(ConflictingTargetsError) as caught:
                run(listed)
            errors.add(str(caught.value))
        assert list(self.folder.rglob("*.json")) == []
        (error,) = errors
        return error


def file(name: str, sha: str | None = SHA, canonical: str = "") -> FileAsset:
    return FileAsset(
        canonical=canonical or f"http://127.0.0.1:9/{sha}/{name}",
        download=f"{BASE}/{name}",
        sha=sha,
    )


def test_two_queries_of_one_file_are_refused() -> None:
    """A query is no part of a name, so nobody could say which of them is meant."""
    with pytest.raises(ConflictingTargetsError, match="stands there with two queries"):
        ClusterAssets(images=(), files=(file("q?v=1", None), file("q?v=2", None)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (file("q"), file("q", OTHER)),
        (file("q?v=1"), file("q?v=2", OTHER)),
        (file("q"), file("q#v2", OTHER)),
        (file("w%2Fz"), file("w/z", OTHER)),
        (file("%77/z"), file("w/z", OTHER)),
        (file("x"), replace(file("x", OTHER), download="https://FILES.example.com/x")),
        (file("x"), replace(file("x", OTHER), download="HTTPS://files.example.com/x")),
        (file("x"), file("x.sha256", OTHER)),
        (file("x.sha256"), file("x", OTHER)),
    ],
)
def test_two_files_at_one_place_are_refused(
    tmp_path: Path, first: FileAsset, second: FileAsset
) -> None:
    """The error names both, and no query, which may be a secret."""
    error = Files(tmp_path).refuse(first, second)
    for asset in (first, second):
        assert asset.canonical.partition("?")[0].partition("#")[0] in error
        assert f"sha256 {asset.sha}" in error
    assert "v=" not in error


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (file("x"), file("y", OTHER)),
        (file("x"), file("X", OTHER)),
        (file("q?v=1"), file("q?v=2")),
        (file("a/x.sha256"), file("x", OTHER)),
        # What the side-car of x has in it.
        (file("x"), file("x.sha256", SIDECAR)),
    ],
)
def test_other_files_and_equal_ones_are_not(
    tmp_path: Path, first: FileAsset, second: FileAsset
) -> None:
    """Paths have a case, and equal bytes may be written by both."""
    plan = plan_files([first, second], Files(tmp_path).stores)
    assert len(plan.to_copy) == 2


def test_a_bucket_has_many_urls() -> None:
    """Path style and host style, regions and dual stack."""
    urls = [
        "https://s3.eu-west-1.amazonaws.com/bucket/k/x",
        "https://bucket.s3.eu-west-1.amazonaws.com/k/x",
        "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/k/x",
        "https://s3.amazonaws.com/bucket/k/x",
        f"{BASE}/x",
    ]
    assets = [
        FileAsset(canonical=f"https://a/{number}", download=url, sha=None)
        for number, url in enumerate(urls)
    ]
    stores = FileStores({}, {BASE: "s3://bucket/k"})
    with pytest.raises(ConflictingTargetsError) as caught:
        plan_files(assets, stores)
    assert all(x.canonical in str(caught.value) for x in assets)
    assert "s3://bucket/k/x would get" in str(caught.value)


@pytest.mark.parametrize("second", ["/a", "/link", "/link/../a", "/a/"])
def test_two_prefixes_that_lead_to_one_directory(tmp_path: Path, second: str) -> None:
    """Also through a link."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    targets = {"https://one.test": f"{tmp_path}/a", "https://two.test/k": f"{tmp_path}{second}"}
    files = Files(tmp_path, targets)
    one = FileAsset(canonical="http://127.0.0.1:9/1", download="https://one.test/x", sha=SHA)
    two = FileAsset(canonical="http://127.0.0.1:9/2", download="https://two.test/k/x", sha=OTHER)
    assert one.canonical in files.refuse(one, two)
    assert len(plan_files([one, replace(two, sha=SHA)], files.stores).to_copy) == 2


def test_a_file_that_is_a_link_to_another(tmp_path: Path) -> None:
    """A copy follows it, so it would write the other."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("x")
    (tmp_path / "a/y").symlink_to("x")
    assert "two sources for one target" in Files(tmp_path).refuse(file("x"), file("y", OTHER))


NAMES = ["kops-assets/c.json", "kops-assets/c.json.invalid"]
REPORTS = ["r/c.report.html", "r/c.report.json"]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_named_like_the_record(tmp_path: Path, name: str) -> None:
    """It would be replaced by the record, or the record by it."""
    clash = file(name, canonical="http://127.0.0.1:9/clash")
    beside = file("x", canonical="http://127.0.0.1:9/x")
    error = Files(tmp_path).refuse(clash, beside)
    assert clash.canonical in error
    assert "the mirror's record of c" in error


@pytest.mark.parametrize("name", ["r/c.json", *REPORTS])
@pytest.mark.parametrize("place", [f"{BASE}/r", "{folder}/a/r", "file://{folder}/a/r/"])
def test_a_file_that_is_named_like_a_document_of_ours(
    tmp_path: Path, name: str, place: str
) -> None:
    """Wherever the options say that record and report are."""
    url = place.format(folder=tmp_path)
    error = Files(tmp_path).refuse(file(name), record_url=url, report_url=url)
    assert name in error
    what = "the report of c" if "report" in name else "the mirror's record of c"
    assert what in error


def test_one_bad_pair_does_not_stop_a_group(tmp_path: Path) -> None:
    """Of a group both fail, with the reason, and all else is copied."""
    files = Files(tmp_path)
    good = file("good")
    first = files.listed(file("q?v=1"), good, cluster="a")
    second = files.listed(file("q?v=2", OTHER), file("kops-assets/a.json"), cluster="b")
    fleet = FleetList(group="g", lists=(first, second))
    documents = document_writes(fleet.lists, files.stores, f"{BASE}/kops-assets")
    plan = plan_files(fleet.assets.files, files.stores, documents=documents, each_alone=True)
    assert plan.to_copy == (good,)
    assert {x.state for x in plan.settled} == {State.FAILED}
    assert {x.problem.kind for x in plan.settled} == {"ConflictingTargetsError"}
    report = FleetReport.of(fleet, group_report(fleet, Results(settled=plan.settled)))
    errors = [x.problem.message for x in report.whole.missing]
    assert sum("/q (" in x for x in errors) == 2
    assert sum("the mirror's record of a" in x for x in errors) == 1
    json.dumps(report.to_dict())


def test_equal_files_are_both_copied(tmp_path: Path) -> None:
    """Two clusters may spell one place differently."""
    from tests.support.file_server import FileServer

    raw = b"kubelet" * 1000
    with FileServer() as server:
        server.put("/x", raw)
        one = FileAsset(
            canonical=f"{server.url}/x", download=f"{BASE}/x", sha=hashlib.sha256(raw).hexdigest()
        )
        two = replace(one, download="https://FILES.example.com/x")
        report = Files(tmp_path).mirror().copy(Files(tmp_path).listed(one, two))
    assert report.ready
    assert (tmp_path / "a/x").read_bytes() == raw
    assert (tmp_path / "a/x.sha256").read_text() == one.sha
