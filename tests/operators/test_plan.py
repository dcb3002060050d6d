"""A plan that Airflow could not map is refused before anything is copied."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from kops_assets_provider.operators.plan import KopsPlanFilesOperator

BASE = "https://files.example.com"
SHA = "0" * 64


class Task:
    """Takes XComs."""

    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def plan(tmp_path, files):
    assets = {
        "cluster": "c",
        "kops_version": "1.36.2",
        "files": [
            {"canonical": f"http://127.0.0.1:9/{n}", "download": f"{BASE}/{n}", "sha": SHA}
            for n in range(files)
        ],
    }
    operator = KopsPlanFilesOperator(
        task_id="plan_files", assets=assets, file_targets={BASE: str(tmp_path)}
    )
    task = Task()
    return operator.execute({"ti": task}), task.pushed


def test_a_plan_is_what_is_missing(tmp_path):
    """One entry for each file, small enough that every mapped task may pull all of them."""
    found, pushed = plan(tmp_path, 3)
    assert [x["canonical"] for x in found] == [f"http://127.0.0.1:9/{n}" for n in range(3)]
    assert pushed["settled"] == []
    assert [x["change"] for x in pushed["ahead"]] == ["added"] * 3


def test_more_copies_than_airflow_maps(tmp_path, monkeypatch):
    """The error says which setting it is, its value, and what it has to be."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    assert len(plan(tmp_path, 2)[0]) == 2
    with pytest.raises(AirflowFailException) as error:
        plan(tmp_path, 3)
    assert "AIRFLOW__CORE__MAX_MAP_LENGTH) is 2, and a task is to be mapped over 3" in str(
        error.value
    )
