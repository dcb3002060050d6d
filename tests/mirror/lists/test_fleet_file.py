"""The file that says which clusters are mirrored together."""

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.lists.fleet_file import ClusterGroup, read_fleet_file

FLEET = """\
groups:
  production:
    schedule: "0 2 * * *"
    state_store: s3://kops-state-store
    clusters:
      prod-a.example.com:
      prod-b.example.com: {kops_version: "1.35.2"}
  staging:
    clusters: [staging.example.com]
"""


def read(tmp_path, text):
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return read_fleet_file(path, ["state_store", "kops_version"], ["kops_version"])


def test_groups_are_read(tmp_path):
    """Clusters are a list of names, or a mapping where one of them has options of its own."""
    assert read(tmp_path, FLEET) == (
        ClusterGroup(
            name="production",
            schedule="0 2 * * *",
            clusters={"prod-a.example.com": {}, "prod-b.example.com": {"kops_version": "1.35.2"}},
            options={"state_store": "s3://kops-state-store"},
        ),
        ClusterGroup(
            name="staging", schedule=None, clusters={"staging.example.com": {}}, options={}
        ),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected one document with the key groups"),
        ("groups: {}", "at least one group"),
        ("groups: {a: {clusters: [c]}}\nother: 1", "expected one document"),
        ("- groups", "expected one document"),
        ("groups: {a: {clusters: [c]}, a: {clusters: [d]}}", "cannot be read"),
        ("groups: [a]", "at least one group"),
        ("groups: {a b: {clusters: [c]}}", "'a b': expected a name of letters"),
        ("groups: {1: {clusters: [c]}}", "group 1: expected a name"),
        ("groups: {a: null}", "'a': expected a mapping with the key clusters"),
        ("groups: {a: {}}", "expected clusters, a list of names"),
        ("groups: {a: {clusters: []}}", "expected clusters"),
        ("groups: {a: {clusters: c}}", "expected clusters"),
        ("groups: {a: {clusters: [c, c]}}", "a cluster is there twice"),
        ("groups: {a: {clusters: [c/d]}}", "cluster 'c/d': expected a cluster's name"),
        ("groups: {a: {clusters: [..]}}", "cluster '..': expected a cluster's name"),
        ("groups: {a: {clusters: [1]}}", "cluster 1: expected a cluster's name"),
        ("groups: {a: {clusters: {c: d}}}", "cluster 'c': expected a mapping of options"),
        (
            "groups: {a: {clusters: {c: {state_store: x}}}}",
            "cluster 'c': unknown state_store; there are kops_version",
        ),
        (
            "groups: {a: {clusters: [c], state_stroe: x}}",
            "unknown state_stroe; there are clusters, kops_version, schedule, state_store",
        ),
        ("groups: {a: {clusters: [c], schedule: 5}}", "its schedule is not text"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, problem):
    """With the file's name, since it is an import error of a DAG file that people will see."""
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "fleet.yaml"))


def test_all_problems_are_told_at_once(tmp_path):
    """Nobody wants to mend a file ten times."""
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, "groups: {a: {clusters: [1, c/d], x: y}, b: {}}")
    assert len(caught.value.problems) == 4


def test_a_file_that_is_not_there(tmp_path):
    """The same error as for one that is damaged."""
    with pytest.raises(InvalidInputError, match=r"nowhere\.yaml: cannot be read"):
        read_fleet_file(tmp_path / "nowhere.yaml", [], [])
