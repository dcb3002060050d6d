"""A plan that Airflow could not map is refused before anything is copied."""

from __future__ import annotations

import pytest

from kops_assets_provider.airflow_versions import AirflowFailException
from kops_assets_provider.operators.check import KopsCheckAssetsOperator
from kops_assets_provider.operators.plan import KopsPlanFilesOperator, KopsPlanImagesOperator

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
        "schema": 1,
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
    assert pushed["outcomes"] == []
    assert [x["change"] for x in pushed["estimates"]] == ["added"] * 3


def test_more_copies_than_airflow_maps(tmp_path, monkeypatch):
    """The error says which setting it is, its value, and what it has to be."""
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    assert len(plan(tmp_path, 2)[0]) == 2
    with pytest.raises(AirflowFailException) as error:
        plan(tmp_path, 3)
    assert "AIRFLOW__CORE__MAX_MAP_LENGTH) is 2, and a task is to be mapped over 3" in str(
        error.value
    )


def conflicting(tmp_path, operator=KopsPlanFilesOperator, **options):
    """Plan files that are written to the place of the report, as one cluster or as a group."""
    name = "r/a.report.json"
    files = [
        {"canonical": "http://127.0.0.1:9/1", "download": f"{BASE}/{name}", "sha": SHA},
        {"canonical": "http://127.0.0.1:9/2", "download": f"{BASE}/other", "sha": SHA},
    ]
    own = {"cluster": "a", "kops_version": "1.36.2", "warnings": []}
    assets = options.pop("assets", {"schema": 1, **own, "files": files})
    if assets == "group":
        clusters = [{**own, "images": [], "files": [0, 1]}]
        assets = {"schema": 1, "group": "g", "clusters": clusters, "failures": {}, "files": files}
    targets = {BASE: str(tmp_path)}
    task = Task()
    found = operator(task_id="x", assets=assets, file_targets=targets, **options)
    return found.execute({"ti": task}), task.pushed


def test_a_conflict_fails_the_plan_of_a_cluster(tmp_path):
    """Nothing is copied when it is not clear what should be."""
    with pytest.raises(AirflowFailException, match=r"9/1 .* and the report of a"):
        conflicting(tmp_path, report_url=f"{BASE}/r")
    assert len(conflicting(tmp_path)[0]) == 2


def test_a_conflict_in_a_group_is_that_of_its_assets(tmp_path):
    """The plan leaves its outcome for the report, and goes on."""
    found, pushed = conflicting(tmp_path, assets="group", report_url=f"{BASE}/r")
    assert [x["canonical"] for x in found] == ["http://127.0.0.1:9/2"]
    (settled,) = pushed["outcomes"]
    assert (settled["state"], settled["error"]["type"]) == ("failed", "ConflictingTargetsError")
    assert "the report of a" in settled["error"]["message"]


def test_a_conflict_of_images_likewise():
    """By the registries of the connections."""
    images = [
        {"canonical": "127.0.0.1:9/a:1", "download": "127.0.0.1:9/x"},
        {"canonical": "127.0.0.1:9/b:1", "download": "127.0.0.1:9/x:latest"},
    ]
    assets = {"schema": 1, "cluster": "a", "kops_version": "1.36.2", "images": images}
    with pytest.raises(AirflowFailException, match=r"a:1 .* and 127\.0\.0\.1:9/b:1"):
        KopsPlanImagesOperator(task_id="x", assets=assets).execute({"ti": Task()})
    clusters = [{"cluster": "a", "kops_version": "1.36.2", "images": [0, 1], "files": []}]
    group = {"schema": 1, "group": "g", "clusters": clusters, "failures": {}, "images": images}
    task = Task()
    assert KopsPlanImagesOperator(task_id="x", assets=group).execute({"ti": task}) == []
    assert {x["error"]["type"] for x in task.pushed["outcomes"]} == {"ConflictingTargetsError"}


def test_a_check_refuses_what_a_copy_would(tmp_path):
    """Before it asks anybody."""
    with pytest.raises(AirflowFailException, match="the mirror's record of a"):
        conflicting(
            tmp_path,
            KopsCheckAssetsOperator,
            record_url=f"{BASE}/r",
            assets={
                "schema": 1,
                "cluster": "a",
                "kops_version": "1.36.2",
                "files": [
                    {"canonical": "http://127.0.0.1:9/1", "download": f"{BASE}/r/a.json"},
                ],
            },
        )


@pytest.mark.parametrize("name", ["a/b", "..", "A"])
def test_the_cluster_of_an_xcom_is_a_name(tmp_path, name):
    """What another task left is data like any other."""
    files = [{"canonical": "http://127.0.0.1:9/1", "download": f"{BASE}/1", "sha": SHA}]
    own = {"cluster": name, "kops_version": "1.36.2"}
    group = {"schema": 1, "group": "g", "failures": {}, "files": files}
    for assets in (
        {"schema": 1, **own, "files": files},
        {**group, "clusters": [{**own, "images": [], "files": [0]}]},
    ):
        with pytest.raises(AirflowFailException, match="expected a cluster's name"):
            conflicting(tmp_path, assets=assets)
