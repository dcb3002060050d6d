"""The report counts what this run's plan asked for, and nothing that an earlier one left."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from kops_assets_provider.airflow_versions import AirflowFailException
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.operators.report import KopsReportOperator

NAMES = [f"registry.k8s.io/{x}:1" for x in ("a", "b")]
IMAGES = [{"schema": 1, "canonical": x, "download": f"r.example.com/{x}"} for x in NAMES]
LIST = {"schema": 1, "cluster": "c", "kops_version": "1.36.2", "images": IMAGES}


class Pulled:
    """Stands in for a task instance: what each map index has left, gone ones among them."""

    dag_id, run_id = "nightly", "r"

    def __init__(self, results, errors):
        self.left = {"return_value": results, "error": errors}
        self.pushed = {}

    def xcom_pull(self, task_ids, key="return_value", map_indexes=None):
        if task_ids == "get_assets":
            return LIST
        (task,) = task_ids if len(task_ids) == 1 else (None,)
        if task == "plan_images" and key == "return_value":
            return [IMAGES]
        if task != "copy_image":
            return []
        left = self.left[key]
        return [
            left[x] for x in (sorted(left) if map_indexes is None else map_indexes) if x in left
        ]

    def xcom_push(self, key, value):
        self.pushed[key] = value


def copied(name):
    return {
        "schema": 1,
        "kind": "image",
        "canonical": name,
        "download": f"r.example.com/{name}",
        "state": "copied",
        "verified_at": "2026-01-01T00:00:00+00:00",
    }


def report(results, errors, run=None, **options):
    ti = Pulled(results, errors)
    operator = KopsReportOperator(
        task_id="report",
        get_assets_task_id="get_assets",
        plan_task_ids=["plan_images", "plan_files"],
        copy_task_ids=["copy_image", "copy_file"],
        **options,
    )
    with suppress(AirflowFailException):
        operator.execute({"ti": ti, "run_id": "r"} | ({"dag_run": run} if run else {}))
    return {x["canonical"]: x["state"] for x in ti.pushed["report"]["assets"]}


@pytest.fixture
def logged(capsys, caplog):
    """All that was logged: where to depends on whether Airflow has set its logging up before."""

    def read():
        return "".join((*capsys.readouterr(), caplog.text))

    caplog.set_level("INFO")
    return read


def test_what_a_task_that_is_gone_left_does_not_count():
    """A plan that was cleared became shorter: index 2 is removed, and its result stays in XCom."""
    name = {"canonical": NAMES[1], "download": f"r.example.com/{NAMES[1]}"}
    error = {"type": "NotFoundError", "message": "gone"}
    failed = name | {"schema": 1, "kind": "image", "state": "failed", "error": error}
    states = report({0: copied(NAMES[0]), 2: copied(NAMES[1])}, {1: failed})
    assert states == {NAMES[0]: "copied", NAMES[1]: "failed"}


@pytest.mark.parametrize("results", [{}, {0: copied(NAMES[0])}])
def test_a_copy_that_left_nothing_failed(results):
    """It was killed before it could say why."""
    states = report(results, {})
    assert list(states.values()).count("failed") == 2 - len(results)


JUNK = [
    *(1, "text", 1.5, ["x"], [None], {}, [{}], {"kind": 1}, {"kind": ["image"]}),
    [{"canonical": 1, "download": 2}],
    [{"canonical": ["x"], "download": {}}],
    [{"canonical": "a\x1b[31m", "download": "b"}],
    {**copied(NAMES[0]), "canonical": {}},
    {"kind": "nothing", "message": "m"},
    {"kind": "file", "message": {}},
    {"kind": "file", "message": "m", "type": [1]},
]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize(
    ("task", "key"),
    [
        *((x, k) for x in ("plan_images", "plan_files") for k in ("return_value", "error")),
        *((x, k) for x in ("plan_images", "plan_files") for k in ("outcomes", "estimates")),
        *((x, k) for x in ("copy_image", "copy_file") for k in ("return_value", "error")),
    ],
)
def test_an_xcom_of_another_writer(task, key, junk):
    """The report names the XCom in one line, whatever is in it."""
    file = {"schema": 1, "canonical": "https://h/f", "download": "https://m/f"}
    left = {
        ("get_assets", "return_value"): LIST,
        ("plan_images", "return_value"): IMAGES,
        ("plan_files", "return_value"): [file],
    }
    left[task, key] = junk

    def pull(task_ids, key="return_value", map_indexes=None):
        if isinstance(task_ids, str):
            return left[task_ids, key]
        return [left[x, key] for x in task_ids if (x, key) in left]

    ti = SimpleNamespace(xcom_pull=pull, xcom_push=lambda **_: None, dag_id="d", run_id="r")
    operator = KopsReportOperator(
        task_id="report",
        get_assets_task_id="get_assets",
        plan_task_ids=["plan_images", "plan_files"],
        copy_task_ids=["copy_image", "copy_file"],
    )
    with pytest.raises(AirflowFailException, match=f"XCom {key} of .*{task}"):
        operator.execute({"ti": ti, "run_id": "r"})


def test_the_words_of_an_error_are_made_printable():
    """Others than our tasks may have written them."""
    error = {"type": "NotFoundError", "message": "no\x1b[31m\nway", "side": None, "more": 1}
    found = Outcome.from_dict({**copied(NAMES[0]), "state": "failed", "error": error})
    assert found.problem.message == "no [31m way"


def test_the_report_is_written(tmp_path, logged):
    """As a page and as JSON, also when something is missing; the log says where."""
    run = SimpleNamespace(start_date=datetime.now(UTC) - timedelta(minutes=5))
    report({0: copied(NAMES[0])}, {}, run, report_url=str(tmp_path))
    assert "The mirror is not ready" in (tmp_path / "c.report.html").read_text()
    found = json.loads((tmp_path / "c.report.json").read_text())
    assert found["counts"] == {"copied": 1, "failed": 1}
    assert (found["run"], found["kops_version"]) == ("r", "1.36.2")
    assert 300 <= found["seconds"] < 400
    assert f"written to {tmp_path}/c.report.html" in logged()


def test_a_report_whose_run_has_not_begun(tmp_path):
    """As in a test of an operator alone: then the time that it took is not told."""
    report({0: copied(NAMES[0])}, {}, SimpleNamespace(start_date=None), report_url=str(tmp_path))
    assert json.loads((tmp_path / "c.report.json").read_text())["seconds"] is None


@pytest.mark.parametrize("url", ["nowhere", "s3:/x", "https://files.example.com/reports"])
def test_a_report_that_cannot_be_written_is_not_lost(url, logged):
    """It is in XCom and in the log all the same; a warning says what was wrong with the place."""
    states = report({0: copied(NAMES[0]), 1: copied(NAMES[1])}, {}, report_url=url)
    assert set(states.values()) == {"copied"}
    text = logged()
    assert "the report could not be written to files: " in text
    assert "2 images (2 copied)" in text


@pytest.mark.parametrize("url", [None, "", "None"])
def test_no_place_no_files(url, logged):
    """What a template makes of None is none."""
    report({0: copied(NAMES[0])}, {}, report_url=url)
    assert "written to" not in logged()


def test_the_place_may_be_a_template():
    """Like every other option."""
    assert "report_url" in KopsReportOperator.template_fields


def test_a_newer_record_is_told_of_once_it_is_there(tmp_path):
    """Or the page would read the one before, and keep it for a while."""
    there = []

    class Pushed(Pulled):
        def xcom_push(self, key, value):
            there.append((key, (tmp_path / "c.json").exists()))

    operator = KopsReportOperator(
        task_id="report",
        get_assets_task_id="get_assets",
        plan_task_ids=["plan_images", "plan_files"],
        copy_task_ids=["copy_image", "copy_file"],
        record_url=str(tmp_path),
    )
    results = {number: copied(name) for number, name in enumerate(NAMES)}
    operator.execute({"ti": Pushed(results, {}), "run_id": "r"})
    assert there == [("report", False), ("kops_assets_copy", True)]
