"""The report counts what this run's plan asked for, and nothing that an earlier one left."""

from __future__ import annotations

from contextlib import suppress

import pytest
from airflow.sdk.exceptions import AirflowFailException

from kops_assets_provider.operators.report import KopsReportOperator

NAMES = [f"registry.k8s.io/{x}:1" for x in ("a", "b")]
LIST = {
    "cluster": "c",
    "kops_version": "1.36.2",
    "images": [{"canonical": x, "download": f"r.example.com/{x}"} for x in NAMES],
}


class Pulled:
    """Stands in for a task instance: what each map index has left, gone ones among them."""

    def __init__(self, results, errors):
        self.left = {"return_value": results, "error": errors}
        self.pushed = {}

    def xcom_pull(self, task_ids, key="return_value", map_indexes=None):
        if task_ids == "get_assets":
            return LIST
        (task,) = task_ids if len(task_ids) == 1 else (None,)
        if task == "plan_images" and key == "return_value":
            return [[{"canonical": x, "download": f"r.example.com/{x}"} for x in NAMES]]
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
        "kind": "image",
        "canonical": name,
        "download": f"r.example.com/{name}",
        "state": "copied",
        "verified_at": "2026-01-01T00:00:00+00:00",
    }


def report(results, errors):
    ti = Pulled(results, errors)
    operator = KopsReportOperator(
        task_id="report",
        get_assets_task_id="get_assets",
        plan_task_ids=["plan_images", "plan_files"],
        copy_task_ids=["copy_image", "copy_file"],
    )
    with suppress(AirflowFailException):
        operator.execute({"ti": ti, "run_id": "r"})
    return {x["canonical"]: x["state"] for x in ti.pushed["report"]["assets"]}


def test_what_a_task_that_is_gone_left_does_not_count():
    """A plan that was cleared became shorter: index 2 is removed, and its result stays in XCom."""
    error = {"kind": "image", "canonical": NAMES[1], "type": "NotFoundError", "message": "gone"}
    states = report({0: copied(NAMES[0]), 2: copied(NAMES[1])}, {1: error})
    assert states == {NAMES[0]: "copied", NAMES[1]: "failed"}


@pytest.mark.parametrize("results", [{}, {0: copied(NAMES[0])}])
def test_a_copy_that_left_nothing_failed(results):
    """It was killed before it could say why."""
    states = report(results, {})
    assert list(states.values()).count("failed") == 2 - len(results)
