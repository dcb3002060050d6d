"""The report has one outcome for every asset of the list; the record keeps what they taught."""

import json
from dataclasses import replace

import pytest

from kops_assets_provider.exceptions import (
    InvalidInputError,
    MissingAssetsError,
    NotFoundError,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.memory import MemoryStore
from kops_assets_provider.files.stores import FileTarget, Scheme
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, error_dict, failed
from kops_assets_provider.mirror.record import (
    MirrorRecord,
    keep_record,
    read_record,
    update_record,
)
from kops_assets_provider.mirror.results import Results, make_report

ASSETS = ClusterAssets(
    (ImageAsset("registry.k8s.io/pause:3.10", "h/pause:3.10"), ImageAsset("quay.io/a:1", "h/a:1")),
    (FileAsset("https://dl.k8s.io/kubelet", "https://files/kubelet", "ab" * 32),),
)
RECORD = FileTarget(Scheme.S3, "bucket", "kops-assets/c.example.com.json")
DIGEST = "sha256:" + "a" * 64
COPIED = Outcome(
    Kind.IMAGE,
    "registry.k8s.io/pause:3.10",
    "h/pause:3.10",
    State.COPIED,
    DIGEST,
    100,
    90,
    "2026-11-01T00:00:00+00:00",
)
PRESENT = Outcome(Kind.FILE, "https://dl.k8s.io/kubelet", "https://files/kubelet", State.PRESENT)
ERROR = {"type": "NotFoundError", "message": "source quay.io: no"}
FAILED = failed(Kind.IMAGE, "quay.io/a:1", "h/a:1", ERROR)


PLANNED = [(Kind.IMAGE, x.canonical, x.download) for x in ASSETS.images]


def report(*outcomes, planned=PLANNED):
    """Report on images that were planned, and files that were not."""
    settled = [x for x in outcomes if x.name not in planned]
    copied = [x for x in outcomes if x not in settled]
    return make_report("c.example.com", ASSETS, Results(settled, planned, copied))


def test_no_asset_is_forgotten():
    """What no task told anything about is failed, not absent."""
    found = report(COPIED, PRESENT)
    assert [x.state for x in found.outcomes] == [State.COPIED, State.FAILED, State.PRESENT]
    assert "log" in found.outcomes[1].error["message"]


def test_an_error_says_why():
    """The error of a copy task stands at its asset."""
    found = report(COPIED, PRESENT, replace(FAILED, sent=7))
    assert found.missing[0].error == ERROR
    assert found.missing[0].sent == 7
    assert not found.ready


def test_an_earlier_attempts_copy_does_not_count():
    """What a plan of this attempt did not ask for was not looked at in this attempt."""
    found = report(COPIED, PRESENT, planned=())
    assert [x.state for x in found.outcomes] == [State.COPIED, State.FAILED, State.PRESENT]
    stale = make_report("c.example.com", ASSETS, Results(copied=[COPIED, PRESENT]))
    assert {x.state for x in stale.outcomes} == {State.FAILED}
    assert "plan" in stale.outcomes[0].error["message"]


def test_a_failed_plan_says_why():
    """Its error stands at every asset that it did not get to."""
    error = {"type": "AccessDeniedError", "message": "target h: 403", "kind": "image"}
    found = make_report("c.example.com", ASSETS, Results([PRESENT], errors={Kind.IMAGE: error}))
    assert [x.error["type"] for x in found.missing] == ["AccessDeniedError"] * 2


def test_a_result_goes_before_an_older_error():
    """A copy that was cleared and done again is done."""
    done = Outcome(Kind.IMAGE, "quay.io/a:1", "h/a:1", State.COPIED)
    assert report(COPIED, PRESENT, done, FAILED).ready


def test_missing_assets_are_named():
    """The error that fails a run names what is missing and what to do."""
    with pytest.raises(MissingAssetsError, match=r"1 of 3 assets .* quay\.io/a:1.*downstream"):
        report(COPIED, PRESENT).raise_for_missing()


def test_the_summary_counts():
    """One sentence for the log."""
    text = report(COPIED, PRESENT).summary()
    assert text == (
        "c.example.com: 2 images (1 copied, 1 failed), 1 files (1 present); 90 bytes sent"
    )


@pytest.mark.parametrize(
    ("requests", "retries", "words"),
    [
        (None, 0, "90 bytes sent"),
        (None, 2, "sent, 2 retries"),
        (7, 2, "sent, 9 requests, 2 retries"),
    ],
)
def test_the_summary_tells_the_cost(requests, retries, words):
    """As far as it was counted."""
    outcome = replace(COPIED, requests=requests, retries=retries)
    other = replace(PRESENT, requests=requests and 2)
    assert report(outcome, other).summary().endswith(words)


def test_a_cluster_that_mirrors_nothing_is_told_so():
    """One clear message, not an error: kOps allows it."""
    assets = ClusterAssets(tuple(ImageAsset(x.canonical, x.canonical) for x in ASSETS.images), ())
    found = make_report("c.example.com", assets, Results())
    assert found.ready
    assert "set spec.assets.containerRegistry" in found.summary()


def test_the_table_shows_failures_last_and_harmless():
    """Words of a server cannot colour or rewrite the terminal that shows the log."""
    evil = ERROR | {"message": "\x1b[31mred\r\n[bold]"}
    lines = report(COPIED, PRESENT, replace(FAILED, error=evil)).to_table().splitlines()
    assert lines[0].startswith("state")
    assert lines[-1].split()[:3] == ["failed", "image", "0"]
    assert "\x1b" not in lines[-1]
    assert "[bold]" in lines[-1]


def test_an_unknown_error_tells_only_its_type():
    """Its message may hold a secret."""
    assert "secret" not in json.dumps(error_dict(ValueError("secret")))
    assert error_dict(NotFoundError("gone"))["message"] == "gone"


def test_an_outcome_survives_xcom():
    """What is pushed is what is pulled."""
    assert Outcome.from_dict(json.loads(json.dumps(COPIED.to_dict()))) == COPIED


def test_the_record_remembers():
    """A night that verifies keeps who copied; a failure keeps what was known, and says why."""
    first = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    present = Outcome(*(COPIED.kind, COPIED.canonical, COPIED.download), State.PRESENT, DIGEST)
    second = update_record(first, report(present, PRESENT), "1.36.2", "run-2")
    pause, app, _ = second.assets
    assert (pause.state, pause.copied_by, pause.size, pause.target) == (
        State.PRESENT,
        "run-1",
        100,
        DIGEST,
    )
    assert pause.verified_at == COPIED.verified_at
    assert (app.state, app.verified_at) == (State.FAILED, None)
    assert "log" in app.reason


def test_the_record_forgets_what_is_not_listed():
    """An asset that the cluster needs no more is no part of its mirror."""
    first = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    fewer = make_report("c.example.com", ClusterAssets((), ASSETS.files), Results([PRESENT]))
    assert len(update_record(first, fewer, "1.36.2", "run-2").assets) == 1


def test_a_record_is_read_as_it_was_written():
    """JSON and back."""
    record = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert MirrorRecord.from_json(record.to_json(), "x") == record


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1, "assets": [{}]}', '{"schema": 1, "assets": ["x"]}']
)
def test_a_damaged_record_is_begun_anew(text):
    """Losing it costs requests, never correctness."""
    store = MemoryStore()
    store.write(RECORD.path, Content.of("x", text.encode()))
    with pytest.raises(InvalidInputError, match="record"):
        read_record(store, RECORD.path)
    keep_record(store, RECORD, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert read_record(store, RECORD.path).run == "run-1"
    assert store.files[f"{RECORD.path}.invalid"] == text.encode()


def test_a_newer_record_is_not_overwritten():
    """Another release of this package knows more of it than we do."""
    store, newer = MemoryStore(), b'{"schema": 2, "cluster": "c.example.com"}'
    store.write(RECORD.path, Content.of("x", newer))
    with pytest.raises(UnsupportedTargetError, match="schema 2"):
        keep_record(store, RECORD, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert store.files == {RECORD.path: newer}
