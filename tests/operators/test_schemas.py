"""What crosses XCom has a schema, and a value of another one is refused by the name of its XCom."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException

from kops_assets_provider.exceptions import InvalidInputError, Side
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.lists.fleet import FleetList, read_listed
from kops_assets_provider.mirror.model.asset import Kind, PlanError, Problem, ProblemKind, State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.outcome import Outcome, outcome_of
from kops_assets_provider.mirror.plan.planned_file import (
    planned_file_from_dict,
    planned_file_to_dict,
)
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.operators.cluster_status import ClusterStatus
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
from kops_assets_provider.operators.plan import KopsPlanFilesOperator, KopsPlanImagesOperator
from kops_assets_provider.operators.report import KopsReportOperator

IMAGE = ImageAsset(canonical="registry.k8s.io/pause:3.10", download="r.example.com/pause:3.10")
FILE = FileAsset(canonical="https://dl.k8s.io/k", download="https://f.example.com/k", sha="a" * 64)
ASSETS = ClusterAssets(images=(IMAGE,), files=(FILE,))
LISTED = AssetList(cluster="c.example.com", kops_version="1.36.2", assets=ASSETS)
WHY = Problem(kind=ProblemKind.NOT_FOUND, message="gone", side=Side.SOURCE)
OUTCOME = outcome_of(IMAGE, State.COPIED)
PLANNED = PlannedImage(canonical=IMAGE.canonical, download=IMAGE.download)
FLEET = FleetList(group="g", lists=(LISTED,), failures={"d.example.com": WHY})

XCOMS = {
    "a list": (LISTED.to_dict(), read_listed, LISTED),
    "the list of a group": (FLEET.to_dict(), read_listed, FLEET),
    "an image": (PLANNED.to_dict(), PlannedImage.from_dict, PLANNED),
    "a file": (planned_file_to_dict(FILE), planned_file_from_dict, FILE),
    "an outcome": (OUTCOME.to_dict(), Outcome.from_dict, OUTCOME),
    "a plan's error": (
        PlanError(kind=Kind.FILE, problem=WHY).to_dict(),
        PlanError.from_dict,
        PlanError(kind=Kind.FILE, problem=WHY),
    ),
    "a report": (
        Report(cluster="c.example.com", outcomes=(OUTCOME,), dry_run=True).to_dict(),
        Report.from_dict,
        Report(cluster="c.example.com", outcomes=(OUTCOME,), dry_run=True),
    ),
    "a cluster's status": (
        ClusterStatus(
            cluster="c.example.com", ready=True, missing=0, kops_version="1.36.2"
        ).to_dict(),
        ClusterStatus.from_dict,
        ClusterStatus(cluster="c.example.com", ready=True, missing=0, kops_version="1.36.2"),
    ),
}
MISSING = "it has no schema: expected a value that a task of this package wrote"
NEWER = "schema: it is {}, and this release reads up to 1: run the same version of this package"


@pytest.fixture(params=XCOMS)
def xcom(request):
    """What to_dict wrote, and the function that reads it."""
    values, read, _ = XCOMS[request.param]
    return json.loads(json.dumps(values)), read


@pytest.mark.parametrize("name", XCOMS)
def test_what_was_written_is_read(name):
    """Through JSON nothing is lost; the schema is the first key."""
    values, read, expected = XCOMS[name]
    assert next(iter(values.items())) == ("schema", 1)
    assert read(json.loads(json.dumps(values)), "XCom x") == expected


def test_a_value_without_a_schema(xcom):
    """Nobody knows what its keys mean."""
    values, read = xcom
    del values["schema"]
    with pytest.raises(InvalidInputError, match=f"^XCom x of y: {MISSING}$"):
        read(values, "XCom x of y")


@pytest.mark.parametrize("schema", [2, 1 << 62])
def test_a_value_of_a_newer_release(xcom, schema):
    """Its keys may mean something else, so nothing but its schema is read."""
    values, read = xcom
    with pytest.raises(InvalidInputError, match=f"^XCom x of y: {NEWER.format(schema)} everywhere"):
        read({"schema": schema, **{x: object() for x in values if x != "schema"}}, "XCom x of y")


@pytest.mark.parametrize("schema", [0, -1, "1", 1.0, True, None, 1 << 80, [1], {}])
def test_a_schema_is_a_number_of_ours(xcom, schema):
    """Whatever else stands there was not written by this package."""
    values, read = xcom
    with pytest.raises(InvalidInputError, match=r"^XCom x of y: schema: expected a whole number"):
        read({**values, "schema": schema}, "XCom x of y")


@pytest.mark.parametrize("value", [None, 1, "text", [], ["schema"]])
def test_a_value_that_is_no_mapping(xcom, value):
    """A clear error, and none of Python's own."""
    with pytest.raises(InvalidInputError, match=r"^XCom x of y: .*expected a mapping"):
        xcom[1](value, "XCom x of y")


def run(operator, left=None):
    """Execute a task that pulls from ``left``; return the error that it fails with."""
    left = left or {}

    def pull(task_ids, key="return_value", map_indexes=None):
        if isinstance(task_ids, str):
            return left.get((task_ids, key))
        return [left[x, key] for x in task_ids if (x, key) in left]

    ti = SimpleNamespace(
        xcom_pull=pull, xcom_push=lambda **_: None, dag_id="d", run_id="r", try_number=1
    )
    state = SimpleNamespace(get=lambda _: None, set=lambda *_: None)
    with pytest.raises(AirflowFailException) as caught:
        operator.execute({"ti": ti, "run_id": "r", "task_state_store": state})
    return str(caught.value)


@pytest.mark.parametrize("values", [{}, {"schema": 2}])
@pytest.mark.parametrize("operator", [KopsCopyImageOperator, KopsCopyFileOperator])
def test_a_copy_names_what_it_was_given(operator, values):
    """A mapped task knows no more than the name of its parameter."""
    assert "XCom given as asset: " in run(operator(task_id="x", asset=values))


@pytest.mark.parametrize("values", [{}, {"schema": 2}, {"schema": 2, "clusters": []}])
@pytest.mark.parametrize("operator", [KopsPlanImagesOperator, KopsPlanFilesOperator])
def test_a_plan_names_what_it_was_given(operator, values):
    """Before it asks anybody."""
    assert "XCom given as assets: " in run(operator(task_id="x", assets=values))


@pytest.mark.parametrize(
    ("task", "key", "values"),
    [
        ("get_assets", "return_value", LISTED.to_dict()),
        ("get_assets", "return_value", FLEET.to_dict()),
        ("plan_images", "return_value", [PLANNED.to_dict()]),
        ("plan_files", "return_value", [planned_file_to_dict(FILE)]),
        ("plan_images", "outcomes", [OUTCOME.to_dict()]),
        ("plan_files", "estimates", [OUTCOME.to_dict()]),
        ("plan_files", "error", PlanError(kind=Kind.FILE, problem=WHY).to_dict()),
        ("copy_image", "return_value", OUTCOME.to_dict()),
        ("copy_image", "error", OUTCOME.to_dict()),
    ],
)
@pytest.mark.parametrize(("schema", "words"), [(None, MISSING), (2, NEWER.format(2))])
def test_a_report_names_the_xcom(task, key, values, schema, words):
    """And the task that left it."""
    (first, *_) = rows = values if isinstance(values, list) else [values]
    changed = {k: v for k, v in first.items() if k != "schema"}
    changed |= {"schema": schema} if schema else {}
    left = {
        ("get_assets", "return_value"): LISTED.to_dict(),
        ("plan_images", "return_value"): [PLANNED.to_dict()],
        (task, key): [changed] if rows is values else changed,
    }
    operator = KopsReportOperator(
        task_id="report",
        get_assets_task_id="get_assets",
        plan_task_ids=["plan_images", "plan_files"],
        copy_task_ids=["copy_image", "copy_file"],
    )
    found = run(operator, left)
    assert f"XCom {key} of " in found
    assert task in found
    assert words in found
