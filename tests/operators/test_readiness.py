"""Who waits for a mirror learns that it is whole; who is told is told of changes alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import DAG, Asset

from kops_assets_provider.airflow_assets import READY, ready_asset
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.mirror.model.asset import Kind, State, now
from kops_assets_provider.mirror.record.store import keep_record, read_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.operators.readiness import notify, publish
from tests.outcomes import GONE, make_outcome
from tests.support.memory_files import MemoryStore

CLUSTER = "prod.example.com"
GOOD = make_outcome(Kind.FILE, "a", "d/a", State.COPIED, sent=7, verified_at=now())
BAD = make_outcome(Kind.FILE, "a", "d/a", State.FAILED, problem=GONE)


def report(outcome):
    return Report(cluster=CLUSTER, outcomes=(outcome,))


class Events:
    """Stands in for Airflow's accessor of outlet events, which finds an alias by its name."""

    def __init__(self):
        self.added = {}

    def __getitem__(self, alias):
        return self.added.setdefault(alias.name, Added())


class Added(list):
    def add(self, asset, extra):
        self.append((asset, extra))


def test_a_whole_mirror_updates_its_asset():
    """With counts and bytes, under the cluster's own name."""
    events = Events()
    publish({"outlet_events": events}, report(GOOD))
    ((asset, extra),) = events.added[READY.name]
    assert asset == ready_asset(CLUSTER)
    assert extra == {"cluster": CLUSTER, "counts": {"copied": 1}, "sent": 7}


def test_a_mirror_that_is_not_whole_updates_nothing():
    """The task fails besides, and Airflow publishes nothing of a failed one."""
    events = Events()
    publish({"outlet_events": events}, report(BAD))
    assert events.added == {}


def test_each_cluster_has_an_asset_of_its_own():
    """A rolling update waits for the cluster that it updates."""
    assert isinstance(ready_asset(CLUSTER), Asset)
    assert ready_asset(CLUSTER).uri != ready_asset("other.example.com").uri


@pytest.mark.parametrize(
    ("outcome", "was_ready", "told"),
    [
        (GOOD, True, 0),
        (GOOD, False, 1),
        (GOOD, None, 1),
        (BAD, True, 1),
        (BAD, False, 0),
        (BAD, None, 1),
    ],
)
def test_a_change_is_told_once(outcome, was_ready, told):
    """A cluster that is not ready for a week is no news every night."""
    heard = []
    notify([heard.append], {"run_id": "r"}, report(outcome), was_ready)
    assert len(heard) == told
    for context in heard:
        assert context["run_id"] == "r"
        assert context["kops_report"]["ready"] is (outcome is GOOD)


def test_a_notifier_that_fails_stops_no_other(caplog):
    """The report counts, not who cannot be told of it."""

    def broken(_):
        raise OSError("no mail server")

    heard = []
    notify([broken, heard.append], {}, report(BAD), None)
    assert len(heard) == 1
    assert "no mail server" in caplog.text


def test_airflow_s_own_notifiers_can_speak_of_the_report():
    """Their templates have it as ``kops_report``; here the one that sends mail."""
    mail = SmtpNotifier(
        to="platform@example.com",
        subject="{{ kops_report.cluster }}: {{ '' if kops_report.ready else 'not ' }}ready",
        html_content="{{ kops_report.counts }}",
    )
    mail.notify = lambda context: None
    notify([mail], {"dag": DAG("x", schedule=None)}, report(BAD), was_ready=True)
    assert (mail.subject, mail.html_content) == (f"{CLUSTER}: not ready", "{'failed': 1}")


def test_what_the_run_before_found_is_in_the_record():
    """Three nights: nothing is known, whole, not whole."""
    store, target = MemoryStore(), FileTarget(scheme=Scheme.S3, root="bucket", path="r")
    nights = [GOOD, GOOD, BAD, BAD, GOOD]
    before = [keep_record(store, target, report(x), "1.36.2", "run") for x in nights]
    assert [x and x.is_whole for x in before] == [None, True, True, False, False]
    assert read_record(store, "r", CLUSTER).is_whole


def test_making_the_asset_loads_no_sdk():
    """A report and each DAG file that waits for a mirror make one, in a process of their own."""
    code = """
import sys, airflow.sdk
from kops_assets_provider.airflow_assets import ready_asset
ready_asset("prod.example.com")
print([x for x in ("google.cloud.storage", "grpc", "boto3") if x in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().splitlines()[-1] == "[]"
