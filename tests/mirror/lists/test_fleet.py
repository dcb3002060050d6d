"""What clusters share is one asset, and each cluster knows how it stands."""

import json
from dataclasses import replace

import pytest

from kops_assets_provider.exceptions import InvalidInputError, MissingAssetsError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.lists.fleet import FleetList, lists_of, read_listed
from kops_assets_provider.mirror.model.asset import Problem, ProblemKind, State
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.outcome import outcome_of
from kops_assets_provider.mirror.report.fleet import FleetReport, group_report
from kops_assets_provider.mirror.report.task_results import Results

PAUSE = ImageAsset(canonical="registry.k8s.io/pause:3.10", download="h/pause:3.10")
ELSEWHERE = ImageAsset(canonical="registry.k8s.io/pause:3.10", download="other/pause:3.10")
APP = ImageAsset(canonical="quay.io/app:1", download="h/app:1")
KUBELET = FileAsset(
    canonical="https://dl.k8s.io/kubelet", download="https://files/kubelet", sha="ab" * 32
)


def listed(cluster, *images, files=(KUBELET,)):
    return AssetList(
        cluster=cluster, kops_version="1.36.2", assets=ClusterAssets(images=images, files=files)
    )


A, B = listed("a.example.com", PAUSE), listed("b.example.com", PAUSE, APP)
WHY = Problem(kind=ProblemKind.NOT_FOUND, message="no such manifest")
FLEET = FleetList(group="production", lists=(A, B), failures={"c.example.com": WHY})


def outcome(asset, state=State.PRESENT):
    return outcome_of(asset, state)


def whole(fleet, *outcomes):
    return FleetReport.of(fleet, group_report(fleet, Results(settled=outcomes)))


def test_what_is_shared_is_there_once():
    """Two assets are one if canonical and download are the same."""
    assert FLEET.assets == ClusterAssets(images=(PAUSE, APP), files=(KUBELET,))
    moved = FleetList(group="g", lists=(A, listed("d.example.com", ELSEWHERE)))
    assert moved.assets.images == (PAUSE, ELSEWHERE)


def test_it_survives_xcom_and_is_small():
    """Each asset once, and numbers beside it: 200 clusters must fit."""
    warned = replace(B, warnings=(Caveat(code="moving-tag", message="it moves"),))
    fleet = replace(FLEET, lists=(A, warned))
    values = json.loads(json.dumps(fleet.to_dict()))
    assert read_listed(values, "XCom") == fleet
    assert json.dumps(values).count(PAUSE.canonical) == 1
    assert lists_of(fleet) == fleet.lists


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("group", 1),
        ("group", "g\x1b[31m"),
        ("failures", 1),
        ("failures", ["c"]),
        ("failures", {"c": "why"}),
        ("failures", {"c": {"message": 1}}),
        ("failures", {"c\n": {"message": "why"}}),
        ("clusters", [1]),
        ("clusters", [{"images": [9], "files": []}]),
    ],
)
def test_an_xcom_of_another_writer(key, value):
    """What is wrong is one of our errors, also where only the report reads it."""
    with pytest.raises(InvalidInputError, match="it is not the list of a group"):
        read_listed({**FLEET.to_dict(), key: value}, "XCom")


def test_the_list_of_one_cluster_is_read_as_before():
    """The same operators plan for one cluster and for many."""
    assert read_listed(A.to_dict(), "XCom") == A
    assert lists_of(A) == (A,)
    with pytest.raises(InvalidInputError, match="expected a mapping"):
        read_listed([], "XCom")


def test_what_they_do_not_agree_about_is_there_with_each_hash():
    """The plan decides; of the group's report it is one asset."""
    other = replace(KUBELET, sha="cd" * 32)
    fleet = FleetList(group="g", lists=(A, listed("b.example.com", APP, files=(other,))))
    assert fleet.assets.files == (KUBELET, other)
    report = whole(fleet, *map(outcome, (PAUSE, APP)), outcome(KUBELET, State.FAILED))
    assert report.unready == ("a.example.com", "b.example.com")
    assert len(report.whole.missing) == 1


def test_each_cluster_knows_how_it_stands():
    """A bad asset is that of the clusters that have it; a cluster without a list is not ready."""
    report = whole(FLEET, outcome(PAUSE), outcome(KUBELET), outcome(APP, State.FAILED))
    assert report.unready == ("c.example.com", "b.example.com")
    found = report.to_dict()
    assert (found["group"], found["ready"]) == ("production", False)
    assert found["counts"] == {"present": 2, "failed": 1}
    assert found["clusters"] == {
        "a.example.com": {"ready": True, "counts": {"present": 2}, "sent": 0},
        "b.example.com": {"ready": False, "counts": {"present": 2, "failed": 1}, "sent": 0},
        "c.example.com": {"ready": False, "error": "no such manifest"},
    }
    assert report.to_table().splitlines()[-3:] == [
        "ready      a.example.com: 2 assets",
        "not ready  b.example.com: 1 of 3 assets are not at the target",
        "not listed c.example.com: no such manifest",
    ]
    assert report.summary().startswith("1 of 3 clusters are ready. production: 2 images")
    with pytest.raises(MissingAssetsError, match=r"not whole for c\.example\.com, b\.example\.com"):
        report.raise_for_missing()


def test_a_whole_fleet_is_whole():
    """Then nothing is raised."""
    fleet = replace(FLEET, failures={})
    report = whole(fleet, *map(outcome, (PAUSE, APP, KUBELET)))
    report.raise_for_missing()
    assert report.to_dict()["ready"]


def test_many_bad_clusters_are_counted():
    """An error's message stays a sentence."""
    fleet = FleetList(group="g", lists=(A,), failures={f"{x}.example.com": WHY for x in "pqrstuv"})
    with pytest.raises(MissingAssetsError, match="and 2 more"):
        whole(fleet, outcome(PAUSE), outcome(KUBELET)).raise_for_missing()


@pytest.mark.parametrize(
    ("cluster", "message"),
    [("c.example.com", "no such manifest"), ("d.example.com", "the group has no such cluster")],
)
def test_a_cluster_without_a_list(cluster, message):
    """Its own report says why."""
    with pytest.raises(InvalidInputError, match=message):
        FLEET.find(cluster)
