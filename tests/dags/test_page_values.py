"""What runs leave in XCom, and what the page makes of it and of the record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kops_assets_provider.testing.asset_lists import asset_list
from kops_assets_provider.testing.file_server import FileServer
from kops_assets_provider.testing.images import make_image, put_image
from kops_assets_provider.testing.messages import Fault
from kops_assets_provider.testing.oci_registry import OciRegistryServer

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
        return dags[dag_id].test(run_conf=conf).run_id

    return run_dag


@pytest.fixture
def look():
    """Return the cluster as the page of who may read these DAGs has it, and its assets."""
    from kops_assets_provider.ui.mirrors import all_mirrors
    from kops_assets_provider.ui.records import Records
    from kops_assets_provider.ui.view import page_values

    def look(*dag_ids):
        now = datetime.now(UTC)
        shown = all_mirrors(dag_ids, now - timedelta(minutes=5), Records(), lambda x: x == COPY)
        # Other tests have left clusters of theirs in the same database.
        mine = [x for x in shown if x.record.cluster == CLUSTER]
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
    assert (cluster["last_check"]["kind"], cluster["last_check"]["bad"]) == ("dry run", 1)
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
