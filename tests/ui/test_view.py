"""What the page is told of a record."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.asset import Download, Kind, State
from kops_assets_provider.mirror.model.outcome import not_mirrored
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.ui.view import Shown, page_values
from tests.canaries.switch import switch_off
from tests.canaries.test_printable import ALL, is_clean
from tests.outcomes import GONE, make_outcome, with_values

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)
FILE = FileAsset(canonical="https://h/f", download="https://h/f", sha=None)
LOG = "dags/d/runs/r/tasks/copy_image/mapped/3"
GOOD = make_outcome(
    Kind.IMAGE,
    "a",
    "h/a",
    State.COPIED,
    content="sha256:1",
    size=100,
    sent=90,
    verified_at=NOW.isoformat(),
    log=LOG,
)
BAD = with_values(GOOD, state=State.FAILED, problem=GONE)
NOT_THERE = with_values(GOOD, kind=Kind.FILE, download_state=Download.NOT_THERE)
OLD = with_values(GOOD, verified_at=(NOW - timedelta(hours=27)).isoformat())


def shown(*outcomes, **fields):
    record = update_record(None, Report(cluster="c", outcomes=outcomes), "1.36.2", "r")
    return page_values([Shown(record=record, kind="copy", **fields)], NOW, timedelta(hours=26))


@pytest.mark.parametrize("off", [True, False])
def test_no_control_character_reaches_the_page(off):
    """Whoever wrote the record, the XCom or the error; with the cleaning off all would."""
    names = {"canonical": ALL, "download": ALL, "content": ALL}
    nasty = with_values(BAD, **names, problem=replace(GONE, message=ALL))
    more = {"last_check": {"kind": ALL, "url": ALL}}
    with pytest.MonkeyPatch.context() as patch:
        if off:
            switch_off(patch)
            patch.setattr("kops_assets_provider.ui.view.printable_values", dict)
        record = update_record(None, Report(cluster=ALL, outcomes=(nasty,)), ALL, ALL)
        shown = Shown(record=record, kind=ALL, dag_id=ALL, run_page=ALL, remark=ALL, more=more)
        values = page_values([shown], NOW, timedelta(hours=26))
    texts = list(_texts(values))
    assert "\u202e" in ALL
    assert all(map(is_clean, texts)) is not off
    assert sum(x.startswith("a [31mb") for x in texts) >= (0 if off else 10)


def _texts(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *_texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


@pytest.mark.parametrize(
    ("outcome", "status", "asset_status", "reason"),
    [
        (GOOD, "ready", "ok", None),
        (BAD, "not ready", "bad", "gone"),
        (OLD, "stale", "stale", None),
        (NOT_THERE, "not ready", "bad", "Nodes do not get it: its download URL is not there."),
        (with_values(GOOD, state=State.MISSING), "not ready", "bad", "It is not at the target"),
        (not_mirrored(FILE), "ready", "not mirrored", None),
    ],
)
def test_how_a_cluster_stands(outcome, status, asset_status, reason):
    """As the sensor sees it: not ready, or not known to be."""
    values = shown(outcome)
    (cluster,), (asset,) = values["clusters"], values["assets"]
    assert (cluster["status"], asset["status"]) == (status, asset_status)
    assert cluster["problems"] == (status != "ready")
    assert (asset["reason"] or "").startswith(reason or "")
    assert bool(asset["reason"]) is bool(reason)
    json.dumps(values)


@pytest.mark.parametrize(
    "log",
    [
        "javascript:alert(1)",
        "//evil.example.com/dags/d/runs/r/tasks/t",
        "dags/d/runs/r/tasks/t/mapped/1?x=//evil.example.com",
        "dags/../runs/r/tasks/t",
        "dags/d/runs/./tasks/t",
        "../dags/d/runs/r/tasks/t",
        "",
    ],
)
def test_only_logs_are_linked(log):
    """A record is a document from outside: no link leads where it likes."""
    (asset,) = shown(with_values(GOOD, log=log))["assets"]
    assert (asset["log"], asset["copied_url"]) == (None, None)


def test_where_the_log_is():
    """The one of the failure, if there is one; and the run that copied."""
    (asset,) = shown(GOOD)["assets"]
    assert (asset["log"], asset["copied_url"]) == (LOG, "dags/d/runs/r")


def test_what_comes_from_outside_is_text():
    """Nothing that turns text around, and no signature of a URL."""
    url = "https://user:secret@files.example.com/a?X-Amz-Signature=secret"
    file = with_values(GOOD, kind=Kind.FILE, canonical=url, download=url)
    values = shown(
        with_values(GOOD, canonical="a\u202eb"),
        with_values(BAD, problem=replace(GONE, message="x\ny")),
        file,
    )
    image, bad, file = values["assets"]
    assert (image["canonical"], bad["reason"]) == ("a b", "x y")
    assert file["canonical"] == "https://files.example.com/a"
    assert "secret" not in json.dumps(values)
