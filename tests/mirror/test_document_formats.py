"""Only documents of ours are replaced, and a list does not say where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset
from kops_assets_provider.kops.cluster import read_cluster
from kops_assets_provider.mirror.lists.get_list import list_cluster
from kops_assets_provider.mirror.lists.saved_lists import read_saved_list, save_list
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.document_formats import Format, format_of
from kops_assets_provider.mirror.model.outcome import outcome_of
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.record.places import has_default_name, record_target
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.mirror.record.store import keep_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.files import report_html, report_json, write_report
from kops_assets_provider.mirror.report.report import Report, RunFacts

CLUSTER = "c.example.com"
FILE = FileAsset(
    canonical="https://dl.test/x/y", download="https://files.test/k/x/y", sha="ab" * 32
)
LISTED = AssetList(
    cluster=CLUSTER, kops_version="1.36.2", assets=ClusterAssets(images=(), files=(FILE,))
)
REPORT = Report(cluster=CLUSTER, outcomes=(outcome_of(FILE, State.PRESENT),))
FACTS = RunFacts(run="nightly", kops_version="1.36.2")
RECORD = update_record(None, REPORT, "1.36.2", "before")
DOCKER = '{"auths": {"registry.test": {"auth": "c2VjcmV0"}}}'


@pytest.fixture
def stores() -> FileStores:
    return FileStores(
        {Scheme.FILE: lambda target: DirectoryStore(target.root)},
        {"https://files.test": "/srv/files"},
    )


def old_record(**changes: object) -> str:
    """Return a record as the first schema had it, without its format."""
    values = json.loads(RECORD.to_json())
    del values["format"]
    return json.dumps({**values, **changes}, sort_keys=True)


class Place:
    """The place of a record in a directory."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._target = FileTarget(
            scheme=Scheme.FILE, root=str(self.path.parent), path=self.path.name
        )

    def keep(self, text: str | None = None) -> MirrorRecord | None:
        if text is not None:
            self.path.write_text(text)
        store = DirectoryStore(self._target.root)
        return keep_record(store, self._target, REPORT, "1.36.2", "now")

    @property
    def run(self) -> str:
        return parse_record(self.path.read_text(), "x").run

    @property
    def invalid(self) -> str | None:
        path = self.path.with_name(self.path.name + ".invalid")
        return path.read_text() if path.exists() else None


@pytest.fixture
def default(tmp_path: Path) -> Place:
    return Place(tmp_path, f"kops-assets/{CLUSTER}.json")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Place:
    return Place(tmp_path, f"records/{CLUSTER}.json")


def test_a_record_begins_with_its_format() -> None:
    """So it can be recognised by its first bytes."""
    text = RECORD.to_json()
    assert text.startswith('{\n "format": "kops-assets-record",\n "schema": 2,')
    assert format_of(text.encode()) == Format.RECORD
    assert parse_record(text, "x") == RECORD


@pytest.mark.parametrize("name", ["default", "elsewhere"])
def test_a_record_is_replaced(name: str, request: pytest.FixtureRequest) -> None:
    """The ordinary night."""
    place = request.getfixturevalue(name)
    assert place.keep() is None
    assert place.keep().run == "now"
    assert place.invalid is None


def test_an_older_record_is_read_under_its_default_name(default: Place) -> None:
    """Before, records did not say their format."""
    assert default.keep(old_record()).run == "before"
    assert default.run == "now"
    assert default.invalid is None


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", DOCKER, old_record(cluster="../x"), old_record(cluster="other.example.com")],
)
def test_an_invalid_record_is_kept_aside(
    default: Place, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What has the default name of a record is ours, whatever it is."""
    assert default.keep(text) is None
    assert default.run == "now"
    assert default.invalid == text
    assert f"{CLUSTER}.json.invalid" in caplog.text


@pytest.mark.parametrize("end", [80, -3])
def test_a_truncated_record_is_kept_aside(elsewhere: Place, end: int) -> None:
    """It begins as ours do, wherever it is."""
    text = RECORD.to_json()[:end]
    elsewhere.keep(text)
    assert (elsewhere.run, elsewhere.invalid) == ("now", text)
    elsewhere.keep(text[:70])
    assert (elsewhere.run, elsewhere.invalid) == ("now", text[:70])


@pytest.mark.parametrize(
    "text",
    [
        DOCKER,
        "",
        "{}",
        old_record(),
        '{"x": 1, "format": "kops-assets-record"}',
        '{"format": "kops-assets-recorder"}',
        report_json(REPORT, FACTS),
    ],
)
def test_what_is_not_ours_is_left(elsewhere: Place, text: str) -> None:
    """The error names the place, and what to do."""
    with pytest.raises(UnsupportedTargetError, match="not ours; move it away") as caught:
        elsewhere.keep(text)
    assert str(elsewhere.path) in str(caught.value)
    assert elsewhere.path.read_text() == text
    assert elsewhere.invalid is None


def test_a_report_is_no_record_under_the_default_name(default: Place) -> None:
    """The report of cluster a has the name of the record of cluster a.report."""
    with pytest.raises(UnsupportedTargetError):
        default.keep(report_json(REPORT, FACTS))


def test_the_default_name_is_that_below_the_bucket() -> None:
    """A bucket may be called anything."""
    assert has_default_name(
        FileTarget(scheme=Scheme.S3, root="b", path="k/kops-assets/c.json"), "c"
    )
    assert has_default_name(
        FileTarget(scheme=Scheme.FILE, root="/srv/kops-assets", path="c.json"), "c"
    )
    assert not has_default_name(
        FileTarget(scheme=Scheme.S3, root="kops-assets", path="c.json"), "c"
    )
    assert not has_default_name(
        FileTarget(scheme=Scheme.FILE, root="/root/.docker", path="config.json"), "config"
    )


@pytest.mark.parametrize("name", ["html", "json"])
def test_a_report_replaces_only_a_report(stores: FileStores, tmp_path: Path, name: str) -> None:
    """Of the two files neither is written if one is not ours."""
    path = tmp_path / f"{CLUSTER}.report.{name}"
    path.write_text(DOCKER)
    with pytest.raises(UnsupportedTargetError, match=f"report.{name} is not replaced"):
        write_report(stores, str(tmp_path), REPORT, FACTS)
    assert [x.read_text() for x in tmp_path.iterdir()] == [DOCKER]
    path.unlink()
    for _ in range(2):
        write_report(stores, str(tmp_path), REPORT, FACTS)
    assert format_of(report_html(REPORT, FACTS).encode()) == Format.REPORT
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_a_list_replaces_only_a_list(stores: FileStores, tmp_path: Path, suffix: str) -> None:
    """A DAG's form may say where to save it."""
    path = tmp_path / f"config.{suffix}"
    path.write_text(DOCKER)
    with pytest.raises(UnsupportedTargetError, match="not ours"):
        save_list(LISTED, str(path), stores)
    assert path.read_text() == DOCKER
    path.unlink()
    for _ in range(2):
        save_list(LISTED, str(path), stores)
    assert format_of(path.read_bytes()) == Format.LIST
    assert read_saved_list(str(path), StateStores()) == LISTED


@pytest.mark.parametrize("url", ["/root/.docker", "https://u:p@h/x", 1, {}])
def test_a_lists_own_place_is_ignored(stores: FileStores, tmp_path: Path, url: object) -> None:
    """With a warning; the record's place is that of the files."""
    file = tmp_path / "list.json"
    file.write_text(json.dumps({**LISTED.to_saved(), "record_url": url}))
    listed = read_saved_list(str(file), StateStores())
    (caveat,) = listed.warnings
    assert (caveat.code, "is ignored" in caveat.message) == ("record-url", True)
    assert "record_url" not in listed.to_saved()
    expected = f"file:///srv/files/k/kops-assets/{CLUSTER}.json"
    assert str(record_target(listed, None, stores)) == expected


@pytest.mark.parametrize(
    "name", ["a/b", "../x", "..", "", ".docker", "A.example.com", "a b", "a\n", "{{ x }}", 1, "é"]
)
def test_a_lists_cluster_is_a_name(name: object) -> None:
    """It becomes the name of documents."""
    with pytest.raises(InvalidInputError, match="cluster"):
        AssetList.from_dict({**LISTED.to_dict(), "cluster": name})
    with pytest.raises(InvalidInputError, match="cluster"):
        parse_record(old_record(cluster=name), "x")


def listed(canonical: str, download: str) -> AssetList:
    return AssetList(
        cluster=CLUSTER,
        kops_version="1.36.2",
        assets=ClusterAssets(
            images=(), files=(FileAsset(canonical=canonical, download=download, sha=None),)
        ),
    )


@pytest.mark.parametrize(
    ("canonical", "download", "expected"),
    [
        ("https://a/x/y", "https://files.test/k/x/y", "file:///srv/files/k/kops-assets/{}"),
        ("https://a/x/y", "https://files.test/x/y", "file:///srv/files/kops-assets/{}"),
        ("https://a/x/y", "https://b.s3.amazonaws.com/k/x/y", "s3://b/k/kops-assets/{}"),
        ("https://a/x?v=1", "https://b.s3.amazonaws.com/k/x?v=1", "s3://b/k/kops-assets/{}"),
        # Not mirrored, not written by us, not below a file repository.
        ("https://a/x/y", "https://a/x/y", None),
        ("https://a/x/y", "https://elsewhere.test/k/x/y", None),
        ("https://a/x/y", "https://files.test/other", None),
        ("https://a/", "https://files.test/other/", None),
        ("a", "https://files.test/a", None),
        # The files' place is another one than that of what lies beside them.
        ("https://a/x/y", "https://files.test/only/x/y", None),
        ("https://a/x/y", "https://files.test/else/x/y", None),
        # A query would end the record's path.
        ("https://a/x/y", "https://b.s3.amazonaws.com/.docker/config.json?z=/x/y", None),
        ("https://a/x/y", "https://b.s3.amazonaws.com/.docker/config.json#/x/y", None),
        ("https://a/x/y", "https://files.test/k/../../etc/x/y", None),
    ],
)
def test_the_default_place_is_where_files_are_written(
    canonical: str, download: str, expected: str | None
) -> None:
    """A list leads the record nowhere that it does not lead its files."""
    stores = FileStores(
        {},
        {
            "https://files.test": "/srv/files",
            "https://files.test/only/x": "/srv/only",
            "https://files.test/else/kops-assets": "/etc",
        },
    )
    found = record_target(listed(canonical, download), None, stores)
    name = f"{CLUSTER}.json"
    assert (found and str(found)) == (expected and expected.format(name))


def test_a_place_has_no_query(stores: FileStores) -> None:
    """The name of a document would become a part of it."""
    for place in ("https://files.test/k?x=", "https://files.test/k#x"):
        with pytest.raises(InvalidInputError, match="no query or fragment"):
            record_target(LISTED, place, stores)


SPECS = sorted((Path(__file__).parent.parent / "golden").glob("*/specs/*.yaml"))


def test_the_default_place_is_below_the_specs_file_repository() -> None:
    """Which the list's files tell, for every cluster that we know kOps' own list of."""
    found = 0
    for spec in SPECS:
        cluster = read_cluster(spec)
        repository = cluster.locations.file_repository
        if not repository:
            continue
        made = list_cluster(str(spec), "1.36.2", fetch_hashes=False, any_kubernetes_version=True)
        stores = FileStores({}, {repository: "/srv/files"})
        target = record_target(made, None, stores)
        assert str(target) == f"file:///srv/files/kops-assets/{cluster.name}.json", spec
        found += 1
    assert found > 5
