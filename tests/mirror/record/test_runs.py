"""What the record tells of the runs, for who looks at a mirror in the morning."""

from __future__ import annotations

import json

import pytest

from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.model.outcome import not_mirrored
from kops_assets_provider.mirror.record import update as record_module
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.runs import MOST_RUNS
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from tests.outcomes import GONE, make_outcome, with_values

FILE = FileAsset(canonical="https://h/f", download="https://h/f", sha=None)
LOG = "dags/d/runs/r/tasks/copy_image/mapped"
GOOD = make_outcome(
    Kind.IMAGE, "a", "h/a", State.COPIED, content="sha256:1", size=100, sent=90, log=f"{LOG}/0"
)
SEEN = with_values(GOOD, state=State.PRESENT, sent=0, log=None)
BAD = with_values(GOOD, state=State.FAILED, content=None, problem=GONE, log=f"{LOG}/1")
OTHER = with_values(GOOD, canonical="b", download="h/b")


def after(*nights):
    """Return the record after nights, each with its outcomes, and its name if it has one."""
    record = None
    for number, (outcomes, *run) in enumerate(nights):
        name = run[0] if run else f"run-{number}"
        record = update_record(
            record, Report(cluster="c", outcomes=tuple(outcomes)), "1.36.2", name
        )
    return record


def told(record):
    return {x.asset.canonical: str(x.change) for x in record.changes}


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([GOOD], [SEEN], {}),
        ([GOOD], [SEEN, OTHER], {"b": "added"}),
        ([GOOD, OTHER], [SEEN], {"b": "removed"}),
        ([GOOD], [with_values(GOOD, content="sha256:2")], {"a": "replaced"}),
        ([GOOD], [BAD], {"a": "lost"}),
        ([BAD], [GOOD], {"a": "mended"}),
        ([BAD], [BAD], {}),
        ([with_values(SEEN, content=None)], [SEEN], {}),
        ([not_mirrored(FILE)], [], {"https://h/f": "removed"}),
    ],
)
def test_what_the_last_run_changed(before, now, expected):
    """Against what the run before left; the first run that is known changed nothing."""
    assert told(after([before])) == {}
    assert told(after([before], [now])) == expected


def test_a_run_that_reports_again():
    """After a clear: it counts once, and what it told before holds unless it tells otherwise."""
    record = after([[GOOD]], [[BAD, OTHER], "night"], [[GOOD, OTHER], "night"])
    assert told(record) == {"a": "mended", "b": "added"}
    assert [x.run for x in record.runs] == ["run-0", "night"]
    assert record.runs[-1].ready


def test_how_each_run_ended():
    """Assets, bytes, and those that nodes do not get; what is not mirrored does not count."""
    record = after([[GOOD, with_values(BAD, canonical="b"), not_mirrored(FILE)]])
    (run,) = record.runs
    assert (run.run, run.ready) == ("run-0", False)
    assert (run.assets, run.bad, run.size, run.sent) == (2, 1, 100, 180)


def test_since_when(monkeypatch):
    """The time of the run that found another readiness than the one before."""
    days = iter(range(1, 9))
    monkeypatch.setattr(record_module, "now", lambda: f"2026-11-{next(days):02}")
    record, found = None, []
    for outcome in (GOOD, SEEN, BAD, BAD, GOOD):
        record = update_record(record, Report(cluster="c", outcomes=(outcome,)), "1.36.2", "run")
        found.append(int(record.since[-2:]))
    assert found == [1, 1, 3, 3, 5]


def test_no_more_runs_than_anybody_reads():
    """A record is read and written each night."""
    record = after(*([[SEEN]] for _ in range(MOST_RUNS + 5)))
    assert len(record.runs) == MOST_RUNS
    assert record.runs[-1].run == f"run-{MOST_RUNS + 4}"


def test_where_the_logs_are():
    """That of the last copy stays; that of a failure is gone with it."""
    (asset,) = after([[GOOD]], [[BAD]]).assets
    assert (asset.copied_log, asset.failed_log) == (f"{LOG}/0", f"{LOG}/1")
    (asset,) = after([[GOOD]], [[BAD]], [[SEEN]]).assets
    assert (asset.copied_log, asset.failed_log) == (f"{LOG}/0", None)


def test_it_is_read_as_it_was_written():
    """And a record of an older release has no past."""
    record = after([[GOOD]], [[BAD, OTHER]])
    assert parse_record(record.to_json(), "x") == record
    values = json.loads(record.to_json())
    old = {k: v for k, v in values.items() if k not in ("since", "runs", "changes")}
    read = parse_record(json.dumps(old), "x")
    assert (read.since, read.runs, read.changes) == (None, (), ())
    assert (
        update_record(read, Report(cluster="c", outcomes=(BAD, OTHER)), "1", "r").since
        == read.updated_at
    )
