"""What a record keeps of the past: the lists, what was written, and what other features add."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.files.targets import FileTarget, Scheme, locate
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.record.lists_and_copies import list_record, lists_after
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.record import Notified
from kops_assets_provider.mirror.record.store import keep_record, read_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from tests.outcomes import make_outcome, with_values
from tests.support.memory_files import MemoryStore

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
DIGEST, OTHER = (f"sha256:{x * 64}" for x in "ab")
SHA = "c" * 64
IMAGE = make_outcome(
    Kind.IMAGE,
    "registry.k8s.io/pause:3.10",
    "r.example.com:5000/kops/pause:3.10",
    State.COPIED,
    content=DIGEST,
    verified_at=START.isoformat(),
)
FILE = make_outcome(
    Kind.FILE,
    "https://dl.k8s.io/kubelet",
    "https://bucket.s3.eu-west-1.amazonaws.com/kops/kubelet",
    State.COPIED,
    content=SHA,
    verified_at=START.isoformat(),
)


def assets(*versions):
    images = tuple(
        ImageAsset(canonical=f"registry.k8s.io/a:{x}", download=f"r.example.com/a:{x}")
        for x in versions
    )
    files = (
        FileAsset(
            canonical="https://dl.k8s.io/kubelet", download="https://f.example.com/kubelet", sha=SHA
        ),
    )
    return ClusterAssets(images=images, files=files)


def listed(*versions, warnings=()):
    return AssetList(
        cluster="c.example.com", kops_version="1.36.2", assets=assets(*versions), warnings=warnings
    )


def after(old, outcomes, run, lists=None):
    return update_record(
        old,
        Report(cluster="c.example.com", outcomes=tuple(outcomes)),
        "1.36.2",
        run,
        listed=lists or listed(1),
        locate=lambda url: locate(url, {}),
    )


def read_again(record):
    return parse_record(record.to_json(), "x")


def test_a_list_is_kept_whole_once_it_differs():
    """By its own SHA-256, with the run that asked for it first."""
    record = after(None, [IMAGE], "one")
    record = after(record, [IMAGE], "two")
    record = after(record, [IMAGE], "three", listed(1, 2))
    record = read_again(after(record, [IMAGE], "four", listed(1)))
    assert [x.run for x in record.lists] == ["one", "three", "four"]
    assert [len(x.assets.images) for x in record.lists] == [1, 2, 1]
    assert record.lists[0].sha256 == record.lists[2].sha256 != record.lists[1].sha256
    assert record.lists[1].assets == assets(1, 2)


def test_lists_are_kept_for_ninety_days():
    """Counted from the day on which another one replaced it; the last one is asked for now."""

    def nights(*versions_and_days):
        lists = ()
        for version, day in versions_and_days:
            at = (START + timedelta(days=day)).isoformat()
            lists = lists_after(lists, list_record(assets(version), "1.36.2", at, f"day {day}"))
        return [x.run for x in lists]

    assert nights((1, 0), (1, 400)) == ["day 0"]
    assert nights((1, 0), (2, 300), (2, 389), (3, 390)) == ["day 0", "day 300", "day 390"]
    assert nights((1, 0), (2, 300), (3, 391)) == ["day 300", "day 391"]


def test_what_was_written_is_known_by_its_place():
    """Registry and repository with the tag, or bucket with the key; the whole digest or hash."""
    image, file = read_again(after(None, [IMAGE, FILE], "one")).copied
    assert (image.place, image.name) == ("r.example.com:5000/kops/pause", "3.10")
    assert (image.content, image.run, image.at) == (DIGEST, "one", START.isoformat())
    assert (file.place, file.name, file.content) == ("s3://bucket", "kops/kubelet", SHA)
    assert image.is_there
    assert file.is_there


def test_what_replaces_something_says_so():
    """Nothing is taken away: both copies stay known."""
    later = (START + timedelta(days=1)).isoformat()
    record = after(None, [IMAGE, FILE], "one")
    new = with_values(IMAGE, content=OTHER, verified_at=later)
    record = read_again(after(record, [new, FILE], "two"))
    images = [x for x in record.copied if x.kind is Kind.IMAGE]
    assert [x.content for x in images] == [DIGEST, OTHER]
    assert [x.replaced_at for x in images] == [later, None]
    assert [x.is_there for x in images] == [False, True]


def test_a_run_that_reports_again_has_written_once():
    """After a failed copy was cleared the same run reports once more."""
    record = after(after(None, [IMAGE], "one"), [IMAGE], "one")
    assert len(record.copied) == 1
    assert len(after(record, [IMAGE], "two").copied) == 2


@pytest.mark.parametrize("state", [State.PRESENT, State.WARMED, State.FAILED, State.MISSING])
def test_what_was_not_written_is_not_known_as_written(state):
    """Somebody else has put it there, or nobody."""
    assert after(None, [replace(IMAGE, state=state)], "one").copied == ()


def test_what_leaves_the_list_stays_known():
    """Or nobody could ever remove it."""
    record = after(after(None, [IMAGE, FILE], "one"), [FILE], "two", listed(2))
    assert [x.asset.kind for x in record.assets] == [Kind.FILE]
    assert [x.canonical for x in record.copied if x.kind is Kind.IMAGE] == [IMAGE.canonical]


def test_all_of_a_record_is_read_as_it_was_written():
    """Also what this release does not use, and what other features add."""
    warnings = (Caveat(code="code", message="a message"),)
    record = after(None, [IMAGE, FILE], "one", listed(1, warnings=warnings))
    extra = {"signature": {"by": ["x"], "ok": True}}
    first = replace(record.assets[0], extra=extra)
    notified = Notified(ready=True, at=START.isoformat())
    record = replace(record, assets=(first, *record.assets[1:]), notified=notified)
    assert read_again(record) == record
    again = read_again(after(record, [with_values(IMAGE, size=5), FILE], "two"))
    assert again.assets[0].extra == extra
    assert again.notified == notified


def test_a_record_of_schema_1_is_read():
    """It has no past but its runs, and becomes one of schema 2 by the next run."""
    values = json.loads(after(None, [IMAGE, FILE], "one").to_json())
    for key in ("lists", "copied", "warnings", "notified", "format"):
        del values[key]
    for asset in values["assets"]:
        del asset["extra"]
    old = parse_record(json.dumps({**values, "schema": 1}), "x")
    assert (old.lists, old.copied, old.warnings, old.notified) == ((), (), (), None)
    assert [x.facts.content for x in old.assets] == [DIGEST, SHA]
    new = json.loads(after(old, [IMAGE], "two").to_json())
    assert list(new)[:2] == ["format", "schema"]
    assert new["schema"] == 2
    assert len(new["lists"]) == 1


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (["https://h/x?a=1", "https://h/x?a=2"], "two sources for one target"),
        (["https://h/x", "https://h/x"], "twice"),
        ([1], "not a name or URL"),
    ],
)
def test_a_list_of_the_past_that_is_wrong(files, problem):
    """Whatever is wrong with it, the record is invalid, and so a new one replaces it."""
    record = read_again(after(None, [], "1", listed(1))).to_json()
    values = json.loads(record)
    rows = [{"canonical": x, "download": "https://m/x", "sha": None} for x in files]
    values["lists"][0]["files"] = rows
    store, target = (
        MemoryStore(),
        FileTarget(scheme=Scheme.S3, root="bucket", path="kops-assets/c.example.com.json"),
    )
    store.files[target.path] = json.dumps(values).encode()
    with pytest.raises(InvalidInputError, match=f"not a mirror record: .*{problem}"):
        parse_record(store.files[target.path], "x")
    keep_record(store, target, Report(cluster="c.example.com", outcomes=()), "1.36.2", "2")
    assert read_record(store, target.path, "c.example.com").run == "2"
    assert set(store.files) == {target.path, f"{target.path}.invalid"}


def test_a_newer_record_is_refused():
    """With what to do."""
    values = json.loads(after(None, [IMAGE], "one").to_json())
    with pytest.raises(
        UnsupportedTargetError, match=r"schema 3, and this release knows .* up to 2"
    ):
        parse_record(json.dumps({**values, "schema": 3}), "x")
