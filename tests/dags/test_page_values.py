"""What runs leave in XCom, and what the page makes of it and of the record."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.airflow_versions import run_in_process
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

CLUSTER = "page.example.com"
COPY, CHECK = "kops_copy_assets_manual", "kops_check_assets"


@dataclass
class Mirror:
    source: OciRegistryServer
    directory: Path
    options: dict


@pytest.fixture
def mirror(tmp_path):
    """One image and one file, so that a run takes a moment."""
    raw = {"/kubelet": b"kubelet" * 100}
    with OciRegistryServer() as source, OciRegistryServer() as target, FileServer(raw) as files:
        put_image(source, "pause:1", make_image("pause"))
        (name, content), url = next(iter(raw.items())), "https://files.example.com"
        assets = asset_list(
            CLUSTER,
            [(f"{source.host}/pause:1", f"{target.host}/pause:1")],
            [(f"{files.url}{name}", f"{url}{name}", content)],
        )
        (tmp_path / "list.json").write_text(json.dumps(assets))
        options = {"asset_list": str(tmp_path / "list.json")}
        options |= {"file_targets": {url: str(tmp_path / "files")}}
        options |= {"record_url": str(tmp_path / "records")}
        yield Mirror(source, tmp_path, options)


@pytest.fixture
def run(mirror, dags, monkeypatch):
    """Run a DAG with the mirror's options in the Variable; return its id."""

    def run_dag(dag_id, **conf):
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(mirror.options))
        return run_in_process(dags[dag_id], conf).run_id

    return run_dag


@pytest.fixture
def look(mirror):
    """Return the cluster as the page of who may read these DAGs has it, and its assets."""
    from kops_assets_provider.ui.mirrors import all_mirrors
    from kops_assets_provider.ui.record_access import RecordPlaces
    from kops_assets_provider.ui.records import Records
    from kops_assets_provider.ui.view import page_values

    def look(*dag_ids, cluster=CLUSTER, places=None):
        now = datetime.now(UTC)
        since = now - timedelta(minutes=5)
        places = places or RecordPlaces(prefixes=[str(mirror.directory / "records")])
        shown = all_mirrors(dag_ids, since, Records(), lambda x: x == COPY, places)
        # Other tests have left clusters of theirs in the same database.
        mine = [x for x in shown if x.record.cluster == cluster]
        values = page_values(mine, now, timedelta(hours=26))
        (cluster,) = values["clusters"] or [None]
        return cluster, values["assets"]

    return look


def of_run(dag_id, run_id):
    from kops_assets_provider.ui.mirrors import mirrors_of_run
    from kops_assets_provider.ui.view import page_values

    values = page_values(mirrors_of_run(dag_id, run_id), datetime.now(UTC), timedelta(hours=26))
    (cluster,) = values["clusters"]
    return cluster


def test_a_cluster_that_was_only_checked(run, mirror, look):
    """Its report is shown: there is nothing to copy with, and who checked can check again."""
    run_id = run(CHECK)
    cluster, assets = look(CHECK)
    assert (cluster["cluster"], cluster["status"], cluster["kind"]) == (
        CLUSTER,
        "not ready",
        "check",
    )
    assert {x["state"] for x in assets} == {"missing"}
    assert cluster["problems"] == len(assets)
    check = {"dag_id": CHECK, "run_id": run_id, "allowed": False, "dry_run": False}
    assert cluster["actions"] == {"copy": None, "check": check}
    assert cluster["last_check"] is None


def test_a_cluster_that_was_copied(run, mirror, look):
    """By its record; a dry run of the same DAG checks, until another DAG has."""
    first = run(COPY)
    second = run(COPY)
    cluster, assets = look(COPY)
    assert (cluster["status"], cluster["kind"], cluster["remark"]) == ("ready", "copy", None)
    assert [x[0] <= cluster["run"]["at"] for x in cluster["history"]] == [True, True]
    assert cluster["run"]["id"] == second
    assert {x["copied_by"] for x in assets} == {first}
    assert all("/tasks/copy_" in x["log"] for x in assets)
    mine = {"dag_id": COPY, "run_id": second, "allowed": True}
    assert cluster["actions"] == {"copy": mine, "check": {**mine, "dry_run": True}}
    check = run(CHECK)
    actions = look(COPY, CHECK)[0]["actions"]
    assert actions["check"]["run_id"] == check
    assert actions["copy"] == mine


def test_a_later_check_is_told(run, mirror, look):
    """A dry run is one: it says what would be copied, and the record is as it was."""
    run(COPY)
    (mirror.directory / "files/kubelet").unlink()
    dry = run(COPY, dry_run=True)
    cluster, _ = look(COPY)
    assert cluster["status"] == "ready"
    assert (cluster["last_check"]["kind"], cluster["last_check"]["missing"]) == ("dry run", 1)
    assert of_run(COPY, dry)["kind"] == "dry run"
    assert of_run(COPY, dry)["status"] == "not ready"


def test_a_run_as_it_was(run, mirror):
    """Its tab shows what it found, whatever later ones find."""
    mirror.source.inject(Fault(None, "pause", times=None, status=404))
    first = run(COPY)
    mirror.source.clear_faults()
    second = run(COPY)
    assert of_run(COPY, first)["status"] == "not ready"
    assert of_run(COPY, second)["status"] == "ready"
    assert of_run(COPY, second)["history"] == []


def test_a_record_that_is_gone(run, mirror, look):
    """The page says so, and shows what the last run has left in Airflow."""
    run(COPY)
    (mirror.directory / f"records/{CLUSTER}.json").unlink()
    cluster, assets = look(COPY)
    assert "cannot be read" in cluster["remark"]
    assert "there is none" in cluster["remark"]
    assert (cluster["status"], len(cluster["history"])) == ("ready", 0)
    assert {x["state"] for x in assets} == {"copied"}


def test_who_may_not_read_a_dag_sees_nothing_of_it(run, mirror, look):
    """And nobody sees what is older than asked for."""
    run(COPY)
    assert look("another") == (None, [])
    assert look() == (None, [])


def rewrite(run_id, change):
    """Let a run have left something else of the cluster."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        (row,) = session.query(XComModel).filter_by(run_id=run_id, key="kops_assets_copy")
        row.value = change(row.value)


@pytest.mark.parametrize("value", ["a path", {"cluster": CLUSTER}, {"other": 1}, None])
def test_what_is_not_understood_is_left_out(run, mirror, look, value):
    """It is of somebody else, or a backend keeps XComs elsewhere."""
    run_id = run(COPY)
    rewrite(run_id, lambda _: value)
    cluster, _ = look(COPY)
    assert cluster is None or cluster["run"]["id"] != run_id


def test_a_newer_release_may_tell_more(run, mirror, look):
    """What it adds is nobody's business here."""
    run_id = run(COPY)
    rewrite(run_id, lambda value: {**value, "more": 1})
    assert look(COPY)[0]["run"]["id"] == run_id


def leave(run_id, key, text):
    """Let a run have left a value that is written to the database as this very text."""
    from airflow.utils.session import create_session
    from sqlalchemy import text as sql

    with create_session() as session:
        statement = sql("UPDATE xcom SET value = :value WHERE run_id = :run AND key = :key")
        values = {"value": text, "run": run_id, "key": key}
        assert session.execute(statement, values).rowcount == 1


OTHER = "other.example.com"
WITH = {"cluster": CLUSTER, "ready": True, "missing": 0, "kops_version": "1"}
BROKEN = [
    "not JSON",
    "[" * 50_000 + "]" * 50_000,
    '{"cluster": ' + "[" * 50_000 + "]" * 50_000 + "}",
    json.dumps({**WITH, "missing": float("nan")}),
    json.dumps({**WITH, "missing": "many"}),
    json.dumps({**WITH, "missing": -1}),
    json.dumps({**WITH, "cluster": {"a": 1}}),
    json.dumps({**WITH, "cluster": "c\x1b[2J"}),
    json.dumps({**WITH, "record": ["s3://b"]}),
    json.dumps({**WITH, "kops_version": None}),
]


@pytest.fixture
def two(run, mirror):
    """Run for another cluster, and then for this one; return the id of this one's run."""
    assets = json.loads((mirror.directory / "list.json").read_text())
    (mirror.directory / "other.json").write_text(json.dumps({**assets, "cluster": OTHER}))
    mirror.options["asset_list"] = str(mirror.directory / "other.json")
    run(COPY)
    mirror.options["asset_list"] = str(mirror.directory / "list.json")
    return run(COPY)


def test_a_broken_xcom_hides_no_other_cluster(two, look):
    """Whatever somebody has written there: it is left out, and the rest is shown."""
    for text in BROKEN:
        leave(two, "kops_assets_copy", text)
        cluster, _ = look(COPY)
        assert cluster is None or cluster["run"]["id"] != two
        assert look(COPY, cluster=OTHER)[0]["status"] == "ready"
        from kops_assets_provider.ui.mirrors import mirrors_of_run

        assert mirrors_of_run(COPY, two) == []


REPORTS = [
    "[" * 50_000 + "]" * 50_000,
    '{"assets": [{"kind": "image"}]}',
    '{"assets": {"a": 1}}',
    "{}",
    '{"assets": [NaN]}',
    '{"assets": [{"kind": "image", "canonical": "a", "download": "b", "state": "copied", '
    '"size": "big"}]}',
]


def test_a_broken_report_is_told_beside_its_cluster(two, mirror, look):
    """Its record is gone as well, so there is nothing to show of it."""
    (mirror.directory / f"records/{CLUSTER}.json").unlink()
    for text in REPORTS:
        leave(two, "report", text)
        cluster, assets = look(COPY)
        assert (cluster["status"], assets) == ("stale", [])
        assert "its report" in cluster["remark"]
        assert of_run(COPY, two)["status"] == "stale"
        other, assets = look(COPY, cluster=OTHER)
        assert (other["status"], len(assets)) == ("ready", 2)


RECORDS = [
    ("size", '"size": "big"', r"assets\[0\].size: expected a whole number, got text"),
    ("deep", '"size": ' + "[" * 50_000 + "]" * 50_000, "nested more than 100 deep"),
    ("nan", '"size": NaN', "a number that is not finite"),
    ("time", '"size": 1, "verified_at": "soon"', "verified_at"),
]


def test_a_broken_record_is_told_beside_its_cluster(two, mirror, look):
    """And what the last run found is shown instead."""
    path = mirror.directory / f"records/{CLUSTER}.json"
    right = json.loads(path.read_text())
    for name, field, why in RECORDS:
        (first, *rest) = [dict(x) for x in right["assets"]]
        first = {k: v for k, v in first.items() if k not in ("size", "verified_at")}
        text = json.dumps({**right, "assets": [{**first, "mark": name}, *rest]})
        path.write_text(text.replace(f'"mark": "{name}"', field))
        cluster, assets = look(COPY)
        assert re.search(f"not a mirror record: .*{why}", cluster["remark"])
        assert (cluster["status"], {x["state"] for x in assets}) == ("ready", {"present"})
        other, _ = look(COPY, cluster=OTHER)
        assert (other["status"], other["remark"]) == ("ready", None)


def test_a_verification_ahead_of_now_does_not_count(two, mirror, look):
    """Nor is it fresh for ever."""
    path = mirror.directory / f"records/{CLUSTER}.json"
    values = json.loads(path.read_text())
    values["assets"][0]["verified_at"] = "2999-01-01T00:00:00+00:00"
    path.write_text(json.dumps(values))
    cluster, _ = look(COPY)
    assert (cluster["status"], cluster["problems"], cluster["remark"]) == ("stale", 1, None)


def test_the_page_opens_only_places_that_are_allowed(two, mirror, look, tmp_path):
    """An XCom may name any, and an XCom is not trusted; the run's own report is shown."""
    from kops_assets_provider.ui.record_access import RecordPlaces

    records = mirror.directory / "records"
    own = records / f"{CLUSTER}.json"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / own.name).write_text(own.read_text())
    (records / "link").symlink_to(outside)
    (records / "theirs").mkdir()
    theirs = (records / f"{OTHER}.json").read_text()
    (records / "theirs" / own.name).write_text(theirs)
    setting = "[kops_assets] allowed_record_urls"
    for place, places, why in [
        (own, RecordPlaces(), f"a directory is read only if {setting} has it"),
        (own, RecordPlaces(prefixes=[str(records)]), None),
        (own, RecordPlaces(prefixes=["s3://bucket", f"{records}2"]), "it is not below one of"),
        (
            outside / own.name,
            RecordPlaces(prefixes=[str(records)]),
            f"it is not below one of {setting}",
        ),
        (records / "link" / own.name, RecordPlaces(prefixes=[str(records)]), "a link leads to"),
        (
            records / ".." / own.name,
            RecordPlaces(prefixes=[str(records)]),
            "it is not a plain path",
        ),
        (records / f"{OTHER}.json", RecordPlaces(prefixes=[str(records)]), "has another name"),
        (
            records / "theirs" / own.name,
            RecordPlaces(prefixes=[str(records)]),
            "of another cluster",
        ),
    ]:
        rewrite(two, lambda value, place=place: {**value, "record": f"file://{place}"})
        cluster, assets = look(COPY, places=places)
        assert (why is None) == (cluster["remark"] is None)
        assert why is None or why in cluster["remark"]
        assert OTHER in place.name or OTHER not in (cluster["remark"] or "")
        assert (len(assets), bool(cluster["history"])) == (2, why is None)
