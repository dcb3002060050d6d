"""A record is a document that others may have written: it is right as a whole, or it is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider.exceptions import InvalidInputError, Side, UnsupportedTargetError
from kops_assets_provider.mirror.model.asset import Download, Kind, State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.store import read_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.ui.view import Shown, page_values
from tests.outcomes import GONE, make_outcome, with_values
from tests.support.memory_files import MemoryStore

LOG = "dags/d/runs/manual__2026-11-26T08%3A00%3A00/tasks/copy_image/mapped/3"
IMAGE = make_outcome(
    Kind.IMAGE,
    "registry.k8s.io/pause:3.10.1",
    "mirror.example.com/pause:3.10.1",
    State.COPIED,
    content="sha256:" + "a" * 64,
    source="sha256:" + "b" * 64,
    size=100,
    sent=90,
    seconds=1.5,
    requests=7,
    verified_at="2026-11-26T08:00:00+00:00",
    blobs=("0123456789ab",),
    warmed=("linux/amd64",),
    log=LOG,
)
FILE = with_values(
    IMAGE,
    kind=Kind.FILE,
    state=State.FAILED,
    version="0" * 32,
    download_state=Download.NOT_THERE,
    problem=replace(GONE, side=Side.SOURCE),
)


def document():
    """Return the values of a record that has something in every field."""
    record = update_record(None, Report(cluster="c", outcomes=(IMAGE,)), "1.36.2", "run-1")
    record = update_record(record, Report(cluster="c", outcomes=(IMAGE, FILE)), "1.36.2", "run-2")
    return json.loads(record.to_json())


def put(values, path, value):
    *parents, last = path
    for part in parents:
        values = values[part]
    values[last] = value


def test_a_right_one_is_read():
    """As it was written."""
    text = json.dumps(document())
    assert json.loads(parse_record(text, "x").to_json()) == json.loads(text)


WRONG = [
    (("schema",), "1"),
    (("schema",), True),
    (("schema",), 0),
    (("cluster",), None),
    (("cluster",), "c\n"),
    (("cluster",), "c" * 300),
    (("kops_version",), 1.36),
    (("run",), ["r"]),
    (("updated_at",), "yesterday"),
    (("updated_at",), "2026-11-26T08:00:00"),
    (("since",), 1),
    (("assets",), {}),
    (("assets",), [1]),
    (("assets", 0, "kind"), "picture"),
    (("assets", 0, "kind"), ["image"]),
    (("assets", 0, "canonical"), None),
    (("assets", 0, "canonical"), "a\x1b[2J"),
    (("assets", 0, "canonical"), "a" * 10_000),
    (("assets", 0, "state"), "fine"),
    (("assets", 0, "size"), "big"),
    (("assets", 0, "size"), -1),
    (("assets", 0, "size"), 1 << 70),
    (("assets", 0, "size"), 1.5),
    (("assets", 0, "target"), {"a": 1}),
    (("assets", 0, "verified_at"), "2026-11-26T08:00:00"),
    (("assets", 0, "verified_at"), 1e300),
    (("assets", 0, "copied_at"), "2026-99-26T08:00:00Z"),
    (("assets", 0, "reason"), 404),
    (("assets", 0, "blobs"), "abc"),
    (("assets", 0, "blobs"), ["xyz"]),
    (("assets", 0, "blobs"), 0),
    (("assets", 0, "blobs"), False),
    (("assets", 0, "extra"), None),
    (("assets", 0, "extra"), ["x"]),
    (("assets", 0, "blobs"), ["a"] * 20_000),
    (("assets", 0, "warmed"), [None]),
    (("assets", 0, "version"), 5),
    (("assets", 0, "download_state"), "perhaps"),
    (("assets", 0, "copied_log"), "javascript:alert(1)"),
    (("assets", 0, "copied_log"), "//evil.example.com/dags/d/runs/r/tasks/t"),
    (("assets", 1, "failed_log"), "https://evil.example.com/"),
    (("assets", 1, "failed_log"), "dags/../runs/r/tasks/t"),
    (("runs",), None),
    (("runs", 0, "at"), "2026"),
    (("runs", 0, "ready"), "yes"),
    (("runs", 0, "sent"), "all"),
    (("runs", 0, "size"), 1 << 80),
    (("changes", 0, "change"), "moved"),
    (("changes", 0, "download"), 1),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=str)
def test_one_wrong_value_is_enough(path, value):
    """The error says where it is, and does not repeat it."""
    values = document()
    put(values, path, value)
    with pytest.raises(InvalidInputError) as found:
        parse_record(json.dumps(values), "s3://b/c.json")
    message = str(found.value)
    assert message.startswith("s3://b/c.json: not a mirror record: ")
    named = "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in path).removeprefix(".")
    assert named in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "key", ["schema", "cluster", "kops_version", "run", "updated_at", "assets"]
)
def test_what_every_record_has(key):
    """Also of each asset, of which the other fields may be absent."""
    values = document()
    del values[key]
    with pytest.raises(InvalidInputError, match=f"it has no {key}"):
        parse_record(json.dumps(values), "x")
    short = {k: document()["assets"][0][k] for k in ("kind", "canonical", "download", "state")}
    put(values := document(), ("assets",), [short])
    (asset,) = parse_record(json.dumps(values), "x").assets
    assert (asset.facts.size, asset.facts.verified_at) == (None, None)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(path=st.sampled_from([path for path, _ in WRONG]), value=_VALUES)
def test_any_value_anywhere(path, value):
    """Either the record is read, and the page can show it, or it is our error."""
    values = document()
    put(values, path, value)
    try:
        record = parse_record(json.dumps(values), "x")
    except (InvalidInputError, UnsupportedTargetError):
        return
    shown = page_values([Shown(record=record, kind="copy")], datetime.now(UTC), timedelta(hours=26))
    json.dumps(shown, allow_nan=False, ensure_ascii=False).encode()
    again = update_record(record, Report(cluster="c", outcomes=(IMAGE, FILE)), "1.36.2", "run-3")
    assert parse_record(again.to_json(), "x") == again


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes(raw):
    """Most are no record."""
    with pytest.raises(InvalidInputError):
        parse_record(raw, "x")


def test_an_asset_occurs_once():
    """What is known of it would depend on the order."""
    values = document()
    values["assets"].append(values["assets"][0])
    with pytest.raises(InvalidInputError, match=r"assets\[2\]: the same asset occurs twice"):
        parse_record(json.dumps(values), "x")


@pytest.mark.parametrize("text", ["[]", "null", "1", '"x"', "[" * 100_000, '{"schema": 1}', "{}"])
def test_what_is_no_record_at_all(text):
    """However deep it is."""
    with pytest.raises(InvalidInputError, match="not a mirror record"):
        parse_record(text, "x")


def test_a_newer_one_is_refused():
    """Whatever else is in it: its release knows more than we do."""
    with pytest.raises(UnsupportedTargetError, match="schema 3"):
        parse_record('{"schema": 3, "assets": "elsewhere"}', "x")


def test_unknown_keys_are_left_out():
    """A newer release may add some to the same schema."""
    values = document()
    values["more"] = values["assets"][0]["more"] = [1]
    assert parse_record(json.dumps(values), "x").cluster == "c"


def test_what_other_features_know_stays():
    """Each keeps its own under a name of its own, and a run leaves it alone."""
    values = document()
    values["assets"][0]["extra"] = {"signature": {"keys": ["a"]}}
    record = parse_record(json.dumps(values), "x")
    record = update_record(record, Report(cluster="c", outcomes=(IMAGE, FILE)), "1.36.2", "run-3")
    assert record.assets[0].extra == {"signature": {"keys": ["a"]}}
    assert parse_record(record.to_json(), "x") == record


def test_a_huge_one_is_not_held_in_memory():
    """Neither is it parsed."""
    store = MemoryStore()
    store.files["c.json"] = b" " * (17 << 20)
    with pytest.raises(InvalidInputError, match="longer than 16777216 bytes"):
        read_record(store, "c.json", "c")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", 1),
        ("state", None),
        ("size", "big"),
        ("sent", None),
        ("sent", float("inf")),
        ("seconds", float("nan")),
        ("requests", True),
        ("error", "gone"),
        ("error", {"message": 1}),
        ("change", "moved"),
        ("log", "https://evil.example.com/"),
        ("verified_at", "soon"),
        ("blobs", {"a": 1}),
    ],
)
def test_an_outcome_is_checked_likewise(field, value):
    """It comes out of XCom."""
    values = {**json.loads(json.dumps(FILE.to_dict())), field: value}
    with pytest.raises(InvalidInputError, match=f"outcome: {field}"):
        Outcome.from_dict(values)


@pytest.mark.parametrize("outcome", [IMAGE, FILE])
def test_an_outcome_is_read_as_it_was_written(outcome):
    """And what is written is plain JSON, which Airflow stores as it is."""
    values = outcome.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert Outcome.from_dict(values) == outcome


@pytest.mark.parametrize(
    ("minutes", "is_verified"), [(-10, True), (4, True), (6, False), (60 * 24 * 365, False)]
)
def test_a_time_ahead_is_no_verification(minutes, is_verified):
    """Clocks may differ by five minutes, and no more is believed: it would count for ever."""
    now = datetime.now(UTC)
    at = (now + timedelta(minutes=minutes)).isoformat(timespec="seconds")
    record = update_record(
        None, Report(cluster="c", outcomes=(with_values(IMAGE, verified_at=at),)), "1", "r"
    )
    problems = record.unready(timedelta(hours=26), now)
    assert bool(problems) is not is_verified
    assert is_verified or "ahead of our clock" in problems[0]
    rules = ImageRules(platforms=("linux/amd64",), warm=("mirror.example.com",))
    (asset,) = record.assets
    warm = with_values(asset, state=State.WARMED, source="sha256:1")
    assert rules.is_warm(warm, "sha256:1") is is_verified


def test_a_time_ahead_does_not_come_true():
    """What was not verified then is not verified when the clock gets there."""
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    record = update_record(
        None, Report(cluster="c", outcomes=(with_values(IMAGE, verified_at=at),)), "1", "r"
    )
    failed = with_values(FILE, kind=Kind.IMAGE, verified_at=None)
    (asset,) = update_record(record, Report(cluster="c", outcomes=(failed,)), "1", "s").assets
    assert asset.facts.verified_at is None
