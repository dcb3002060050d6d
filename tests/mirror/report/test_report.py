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
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import (
    Download,
    Kind,
    Problem,
    ProblemKind,
    State,
    name_of,
)
from kops_assets_provider.mirror.model.outcome import Outcome, failed, outcome_of
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.store import keep_record, read_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.mirror.report.task_results import Results, make_report
from tests.outcomes import make_outcome, with_values
from tests.support.memory_files import MemoryStore

ASSETS = ClusterAssets(
    images=(
        ImageAsset(canonical="registry.k8s.io/pause:3.10", download="h/pause:3.10"),
        ImageAsset(canonical="quay.io/a:1", download="h/a:1"),
    ),
    files=(
        FileAsset(
            canonical="https://dl.k8s.io/kubelet", download="https://files/kubelet", sha="ab" * 32
        ),
    ),
)
RECORD = FileTarget(scheme=Scheme.S3, root="bucket", path="kops-assets/c.example.com.json")
DIGEST = "sha256:" + "a" * 64
COPIED = make_outcome(
    Kind.IMAGE,
    "registry.k8s.io/pause:3.10",
    "h/pause:3.10",
    State.COPIED,
    content=DIGEST,
    size=100,
    sent=90,
    verified_at="2026-11-01T00:00:00+00:00",
)
PRESENT = outcome_of(ASSETS.files[0], State.PRESENT)
PROBLEM = Problem(kind=ProblemKind.NOT_FOUND, message="source quay.io: no")
FAILED = failed(name_of(ASSETS.images[1]), PROBLEM)


PLANNED = [name_of(x) for x in ASSETS.images]


def report(*outcomes, planned=PLANNED):
    """Report on images that were planned, and files that were not."""
    settled = [x for x in outcomes if x.asset not in planned]
    copied = [x for x in outcomes if x not in settled]
    return make_report(
        "c.example.com", ASSETS, Results(settled=settled, planned=planned, copied=copied)
    )


def test_no_asset_is_forgotten():
    """What no task told anything about is failed, not absent."""
    found = report(COPIED, PRESENT)
    assert [x.state for x in found.outcomes] == [State.COPIED, State.FAILED, State.PRESENT]
    assert "log" in found.outcomes[1].problem.message


def test_an_error_says_why():
    """The error of a copy task stands at its asset."""
    found = report(COPIED, PRESENT, with_values(FAILED, sent=7))
    assert found.missing[0].problem == PROBLEM
    assert found.missing[0].cost.sent == 7
    assert not found.ready


def test_an_earlier_attempts_copy_does_not_count():
    """What a plan of this attempt did not ask for was not looked at in this attempt."""
    found = report(COPIED, PRESENT, planned=())
    assert [x.state for x in found.outcomes] == [State.COPIED, State.FAILED, State.PRESENT]
    stale = make_report("c.example.com", ASSETS, Results(copied=[COPIED, PRESENT]))
    assert {x.state for x in stale.outcomes} == {State.FAILED}
    assert "plan" in stale.outcomes[0].problem.message


def test_a_failed_plan_says_why():
    """Its error stands at every asset that it did not get to."""
    error = Problem(kind=ProblemKind.ACCESS_DENIED, message="target h: 403")
    found = make_report(
        "c.example.com", ASSETS, Results(settled=[PRESENT], errors={Kind.IMAGE: error})
    )
    assert [x.problem for x in found.missing] == [error] * 2


def test_a_result_goes_before_an_older_error():
    """A copy that was cleared and done again is done."""
    done = make_outcome(Kind.IMAGE, "quay.io/a:1", "h/a:1", State.COPIED)
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
    outcome = with_values(COPIED, requests=requests, retries=retries)
    other = with_values(PRESENT, requests=requests and 2)
    assert report(outcome, other).summary().endswith(words)


def test_a_cluster_that_mirrors_nothing_is_told_so():
    """One clear message, not an error: kOps allows it."""
    assets = ClusterAssets(
        images=tuple(
            ImageAsset(canonical=x.canonical, download=x.canonical) for x in ASSETS.images
        ),
        files=(),
    )
    found = make_report("c.example.com", assets, Results())
    assert found.ready
    assert "set spec.assets.containerRegistry" in found.summary()


def test_the_table_shows_failures_last_and_harmless():
    """Words of a server cannot colour or rewrite the terminal that shows the log."""
    evil = Problem(kind=ProblemKind.NOT_FOUND, message="\x1b[31mred\r\n[bold]")
    lines = report(COPIED, PRESENT, with_values(FAILED, problem=evil)).to_table().splitlines()
    assert lines[0].startswith("state")
    assert lines[-1].split()[:3] == ["failed", "image", "0"]
    assert "\x1b" not in lines[-1]
    assert "[bold]" in lines[-1]


def test_an_unknown_error_tells_only_its_type():
    """Its message may hold a secret."""
    assert Problem.of(ValueError("secret")).to_dict() == {
        "type": "UnexpectedError",
        "message": "unexpected ValueError; the log has it",
        "side": None,
    }
    assert Problem.of(NotFoundError("gone")).message == "gone"


def test_an_outcome_survives_xcom():
    """What is pushed is what is pulled."""
    assert Outcome.from_dict(json.loads(json.dumps(COPIED.to_dict()))) == COPIED


def test_the_record_remembers():
    """A night that verifies keeps who copied; a failure keeps what was known, and says why."""
    first = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    present = make_outcome(*COPIED.asset, State.PRESENT, content=DIGEST)
    second = update_record(first, report(present, PRESENT), "1.36.2", "run-2")
    pause, app, _ = second.assets
    assert (pause.state, pause.copied_by, pause.facts.size, pause.facts.content) == (
        State.PRESENT,
        "run-1",
        100,
        DIGEST,
    )
    assert pause.facts.verified_at == COPIED.facts.verified_at
    assert (app.state, app.facts.verified_at) == (State.FAILED, None)
    assert "log" in app.reason


KNOWN = with_values(COPIED, blobs=("ab",), version="1", sidecar_version="2", source="s")


def after(outcome, known=KNOWN):
    """Return what the record knows of an asset after a run that copied it, and another one."""
    first = update_record(None, Report(cluster="c", outcomes=(known,)), "1.36.2", "run-1")
    (asset,) = update_record(
        first, Report(cluster="c", outcomes=(outcome,)), "1.36.2", "run-2"
    ).assets
    return asset


def test_what_is_true_of_one_content_goes_with_it():
    """Blobs and versions of what was there before would vouch for what is there now."""
    same = make_outcome(*COPIED.asset, State.PRESENT, content=DIGEST)
    assert after(same).facts == replace(KNOWN.facts, warmed=None)
    other = after(with_values(same, content="sha256:b")).facts
    assert (other.content, other.size, other.source) == ("sha256:b", 100, "s")
    assert (other.blobs, other.version, other.sidecar_version) == ((), None, None)
    gone = after(with_values(same, state=State.MISSING, content=None)).facts
    assert (gone.content, gone.blobs, gone.version) == (DIGEST, (), None)


def test_a_file_is_the_same_on_both_sides():
    """So its source is what the run found at the target, also if that was nothing."""
    file = make_outcome(*PRESENT.asset, State.COPIED, content="ab" * 32)
    assert after(file, file).facts.source == "ab" * 32
    gone = make_outcome(*PRESENT.asset, State.MISSING)
    assert (after(gone, file).facts.source, after(gone, file).facts.content) == (None, "ab" * 32)


def test_news_of_one_run_is_not_remembered():
    """What the source has moved to, what a URL answered, and what a cache was read for."""
    news = with_values(KNOWN, drift="sha256:b", warmed=(), download_state=Download.NOT_THERE)
    assert after(news).facts.drift is None
    assert (after(news).facts.warmed, after(news).is_bad) == ((), True)
    later = after(make_outcome(*COPIED.asset, State.PRESENT, content=DIGEST), news)
    assert (later.facts.warmed, later.facts.download_state) == (None, None)


def test_the_record_has_its_assets_in_one_level():
    """With null for what is not known: the keys that every reader of a record knows."""
    record = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    pause, app, _ = json.loads(record.to_json())["assets"]
    assert pause == {
        "kind": "image",
        "canonical": "registry.k8s.io/pause:3.10",
        "download": "h/pause:3.10",
        "state": "copied",
        "source": None,
        "target": DIGEST,
        "size": 100,
        "verified_at": COPIED.facts.verified_at,
        "copied_at": COPIED.facts.verified_at,
        "copied_by": "run-1",
        "reason": None,
        "blobs": None,
        "warmed": None,
        "version": None,
        "sidecar_version": None,
        "download_state": None,
        "copied_log": None,
        "failed_log": None,
        "extra": {},
    }
    assert app == {**dict.fromkeys(pause), **FAILED.asset._asdict()} | {
        "state": "failed",
        "reason": "its copy task ended without a result; the task's log says why",
        "extra": {},
    }


def test_the_record_forgets_what_is_not_listed():
    """An asset that the cluster needs no more is no part of its mirror."""
    first = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    fewer = make_report(
        "c.example.com", ClusterAssets(images=(), files=ASSETS.files), Results(settled=[PRESENT])
    )
    assert len(update_record(first, fewer, "1.36.2", "run-2").assets) == 1


def test_a_record_is_read_as_it_was_written():
    """JSON and back."""
    record = update_record(None, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert parse_record(record.to_json(), "x") == record


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": 1, "assets": [{}]}', '{"schema": 1, "assets": ["x"]}']
)
def test_a_damaged_record_is_begun_anew(text):
    """Losing it costs requests, never correctness."""
    store = MemoryStore()
    store.write(RECORD.path, Content.of("x", text.encode()))
    with pytest.raises(InvalidInputError, match="record"):
        read_record(store, RECORD.path, "c.example.com")
    keep_record(store, RECORD, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert read_record(store, RECORD.path, "c.example.com").run == "run-1"
    assert store.files[f"{RECORD.path}.invalid"] == text.encode()


def test_a_newer_record_is_not_overwritten():
    """Another release of this package knows more of it than we do."""
    store, newer = MemoryStore(), b'{"schema": 3, "cluster": "c.example.com"}'
    store.write(RECORD.path, Content.of("x", newer))
    with pytest.raises(UnsupportedTargetError, match="schema 3"):
        keep_record(store, RECORD, report(COPIED, PRESENT), "1.36.2", "run-1")
    assert store.files == {RECORD.path: newer}
