"""A sensor is true when the record says of every asset that it was verified lately."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.airflow_versions import AirflowFailException
from kops_assets_provider.mirror.model.asset import Download, Kind, State
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.sensors.ready import KopsAssetsReadySensor
from tests.outcomes import GONE, make_outcome

CLUSTER = "prod.example.com"


def ago(hours):
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="seconds")


def outcome(name, hours=1.0, state=State.PRESENT, **values):
    at = None if state is State.NOT_MIRRORED else ago(hours)
    return make_outcome(Kind.FILE, name, f"d/{name}", state, verified_at=at, **values)


@pytest.fixture
def poke(tmp_path):
    """Return what keeps a record of outcomes and asks the sensor."""

    def poke(*outcomes, **options):
        record = update_record(None, Report(cluster=CLUSTER, outcomes=outcomes), "1.36.2", "run")
        (tmp_path / f"{CLUSTER}.json").write_text(record.to_json())
        return sensor(tmp_path, **options).poke({})

    return poke


def sensor(place, **options):
    values = {"cluster_name": CLUSTER, "record_url": str(place), **options}
    return KopsAssetsReadySensor(task_id="ready", **values)


def test_all_was_verified_lately(poke):
    """Whatever was copied, was there, or is not mirrored at all."""
    assert poke(
        outcome("a"), outcome("b", 25, State.COPIED), outcome("c", state=State.NOT_MIRRORED)
    )


@pytest.mark.parametrize(
    "bad",
    [
        outcome("b", 27),
        make_outcome(Kind.FILE, "b", "d/b", State.FAILED, problem=GONE),
        outcome("b", download_state=Download.NOT_THERE, problem=GONE),
        outcome("b", download_state=Download.WRONG),
        make_outcome(Kind.FILE, "b", "d/b", State.PRESENT),
    ],
)
def test_one_asset_is_enough_to_wait(poke, bad):
    """Verified too long ago, failed, out of the nodes' reach, or never verified."""
    assert not poke(outcome("a"), bad)


def test_what_nobody_can_tell_from_here_is_no_reason(poke):
    """A download URL that only nodes may read."""
    assert poke(outcome("a", download_state=Download.UNKNOWN))


def test_the_hours_are_the_user_s(poke):
    """Also from a template, as text."""
    assert poke(outcome("a", 3), max_age_hours=4)
    assert not poke(outcome("a", 3), max_age_hours="2.5")


def test_a_failed_night_after_a_good_one(poke, tmp_path):
    """Verified an hour ago, and then it failed: what the last run found counts."""
    good = update_record(None, Report(cluster=CLUSTER, outcomes=(outcome("a"),)), "1.36.2", "1")
    bad = make_outcome(Kind.FILE, "a", "d/a", State.FAILED, problem=GONE)
    record = update_record(good, Report(cluster=CLUSTER, outcomes=(bad,)), "1.36.2", "2")
    (tmp_path / f"{CLUSTER}.json").write_text(record.to_json())
    assert not sensor(tmp_path).poke({})


def test_no_record_yet(tmp_path):
    """Nothing was mirrored: it is waited for."""
    assert not sensor(tmp_path).poke({})


def test_an_empty_record_is_not_ready(poke):
    """Of nothing it cannot be said that all of it is there."""
    assert not poke()


@pytest.mark.parametrize("hours", ["soon", 0, -1, "nan"])
def test_hours_that_are_none(tmp_path, hours):
    """A typo does not wait for ever."""
    (tmp_path / f"{CLUSTER}.json").write_text(
        update_record(
            None, Report(cluster=CLUSTER, outcomes=(outcome("a"),)), "1.36.2", "1"
        ).to_json()
    )
    with pytest.raises(AirflowFailException, match="max_age_hours: expected hours"):
        sensor(tmp_path, max_age_hours=hours).poke({})


def test_a_damaged_record_is_told(tmp_path):
    """It does not become right by waiting."""
    (tmp_path / f"{CLUSTER}.json").write_text("{}")
    with pytest.raises(AirflowFailException, match="not a mirror record"):
        sensor(tmp_path).poke({})


def test_the_record_of_another_cluster_is_refused(tmp_path):
    """Somebody has copied it to this cluster's name: its assets are others."""
    record = update_record(
        None, Report(cluster="other.example.com", outcomes=(outcome("a"),)), "1.36.2", "1"
    )
    (tmp_path / f"{CLUSTER}.json").write_text(record.to_json())
    with pytest.raises(AirflowFailException, match=r"it is the record of other\.example\.com"):
        sensor(tmp_path).poke({})


def test_an_older_record_has_no_downloads(tmp_path, poke):
    """Records of before are understood."""
    poke(outcome("a"))
    path = tmp_path / f"{CLUSTER}.json"
    values = json.loads(path.read_text())
    for asset in values["assets"]:
        for name in ("version", "sidecar_version", "download_state"):
            del asset[name]
    path.write_text(json.dumps(values))
    assert sensor(tmp_path).poke({})


def test_it_holds_no_slot():
    """Between two looks others may run."""
    found = sensor("/x")
    assert (found.mode, found.poke_interval) == ("reschedule", 300.0)


@pytest.mark.parametrize("cluster", ["../x", "a/b", "A.example.com"])
def test_a_cluster_is_a_name(tmp_path, cluster):
    """It becomes a part of the record's path."""
    with pytest.raises(AirflowFailException, match="expected a cluster's name"):
        sensor(tmp_path, cluster_name=cluster).poke({})
