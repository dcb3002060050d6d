"""Many records are read at once, each when it has changed, and nobody waits for a slow one."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from kops_assets_provider.exceptions import AccessDeniedError
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.ui.record_access import Place
from kops_assets_provider.ui.records import Records
from tests.outcomes import make_outcome
from tests.waits import wait_for

FIRST = datetime(2026, 11, 25, tzinfo=UTC)
LATER = FIRST + timedelta(days=1)


def write(path, run):
    outcome = make_outcome(Kind.IMAGE, "a", "h/a", State.COPIED)
    path.write_text(
        update_record(None, Report(cluster="c", outcomes=(outcome,)), "1.36.2", run).to_json()
    )


class Stores(StateStores):
    """Counts reads; may hang, or deny."""

    def __init__(self):
        super().__init__()
        self.opened, self.reads = [], 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.error = None

    def open(self, place):
        self.opened.append(place)
        store, read = super().open(place), None
        read = store.read

        def counted(path):
            self.reads += 1
            self.go_on.wait(10)
            if self.error:
                raise self.error
            return read(path)

        store.read = counted
        return store


@pytest.fixture
def stores():
    return Stores()


@pytest.fixture
def records(stores):
    return Records(lambda aws, google: stores, patience=2.0)


@pytest.fixture
def place(tmp_path):
    write(tmp_path / "c.json", "run-1")
    return Place(folder=str(tmp_path), path="c.json", aws_conn_id="aws_default")


def test_a_record_is_read_once_for_each_run(records, stores, place, tmp_path):
    """Until a later run has written, or five minutes have passed."""
    for _ in range(3):
        assert records.read({place: FIRST})[place].run == "run-1"
    assert stores.reads == 1
    write(tmp_path / "c.json", "run-2")
    assert records.read({place: LATER})[place].run == "run-2"
    assert stores.reads == 2


def test_a_folder_is_opened_once_for_all_its_records(records, stores, tmp_path):
    """Making a client takes longer than reading with it."""
    places = {}
    for number in range(40):
        write(tmp_path / f"{number}.json", "run-1")
        places[Place(folder=str(tmp_path), path=f"{number}.json")] = FIRST
    assert {type(x) for x in records.read(places).values()} == {MirrorRecord}
    assert stores.opened == [str(tmp_path)]


def test_a_store_that_does_not_answer(stores, place):
    """Nobody waits longer than patience lasts; what comes later is there for the next look."""
    records = Records(lambda aws, google: stores, patience=0.1)
    stores.go_on.clear()
    for _ in range(3):
        assert "did not answer within 0.1 s" in records.read({place: FIRST})[place]
    stores.go_on.set()
    wait_for(lambda: isinstance(records.read({place: FIRST})[place], MirrorRecord))
    assert stores.reads == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AccessDeniedError("GET s3://b/c.json: denied"), "GET s3://b/c.json: denied"),
        (ValueError("secret"), "unexpected ValueError; the log has it"),
    ],
)
def test_a_record_that_cannot_be_read(records, stores, place, error, expected):
    """Our own errors say why; what others say may be anything."""
    stores.error = error
    found = records.read({place: FIRST})[place]
    assert expected in found
    assert "secret" not in found


def test_there_is_no_record_or_it_is_damaged(records, place, tmp_path):
    """Either is said of the place."""
    gone = place._replace(path="gone.json")
    assert records.read({gone: FIRST})[gone] == f"{tmp_path}/gone.json: there is none"
    (tmp_path / "c.json").write_text("[]")
    assert "not a mirror record" in records.read({place: FIRST})[place]
