"""Whether nodes can download a file is asked as they ask: by its URL, without credentials."""

from __future__ import annotations

import pytest

from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.model.asset import Download, Kind, State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.download_checks import with_downloads
from kops_assets_provider.mirror.report.report import Report
from tests.outcomes import make_outcome
from tests.support.gcs_server import GCSServer
from tests.support.messages import Fault
from tests.support.s3_server import S3Server

RAW = b"the bytes of kubelet"


@pytest.fixture
def ask(file_server, http):
    """Return what asks for a file at the file server."""
    file_server.put("/kubelet", RAW)

    def ask(url=None):
        url = url or f"{file_server.url}/kubelet"
        names = Kind.FILE, "https://dl.k8s.io/kubelet", url
        outcome = make_outcome(*names, State.PRESENT, size=len(RAW))
        (found,) = with_downloads([outcome], http)
        return found

    return ask


@pytest.fixture
def http():
    return HttpClient(connect_seconds=2, stall_seconds=2)


def test_a_file_that_can_be_read(ask, file_server):
    """A HEAD tells its length, and no credentials go with it."""
    found = ask()
    assert found.facts.download_state is Download.READABLE
    assert (found.is_bad, found.problem) == (False, None)
    (request,) = file_server.requests
    assert request.method == "HEAD"
    assert "Authorization" not in request.headers
    assert found.cost.requests == 1


def test_a_file_that_is_not_there(ask, file_server):
    """At the target and not at its URL: nodes do not get it, so the mirror is not ready."""
    file_server.files.clear()
    found = ask()
    assert (found.facts.download_state, found.is_bad) == (Download.NOT_THERE, True)
    assert "nodes do not find it" in found.problem.message
    report = Report(cluster="c", outcomes=(found,))
    assert not report.ready
    assert "HEAD /kubelet answered 404" in report.to_table()
    (kept,) = update_record(None, report, "1.36.2", "run").assets
    assert "answered 404" in kept.reason


def test_another_file_than_the_target_s(ask, file_server):
    """The URL leads elsewhere: another length is another file."""
    file_server.put("/kubelet", RAW + b"!")
    found = ask()
    assert (found.facts.download_state, found.is_bad) == (Download.WRONG, True)
    assert f"offers {len(RAW) + 1} bytes instead of {len(RAW)}" in found.problem.message


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_what_cannot_be_told_from_here(ask, file_server, status):
    """A refusal may be meant for everybody outside of the nodes' network: no failure."""
    file_server.inject(Fault(status=status, times=None))
    found = ask()
    assert (found.facts.download_state, found.is_bad) == (Download.UNKNOWN, False)
    assert f"answered {status}" in found.problem.message
    assert Report(cluster="c", outcomes=(found,)).ready


def test_a_host_that_does_not_answer(ask):
    """Nor is a name that only nodes can look up."""
    found = ask("http://127.0.0.1:9/kubelet")
    assert (found.facts.download_state, found.is_bad) == (Download.UNKNOWN, False)


@pytest.mark.parametrize("status", [405, 501, 400])
def test_a_server_without_head_is_asked_for_the_first_byte(ask, file_server, status):
    """The whole length comes with the part."""
    file_server.inject(Fault("HEAD", status=status, times=None))
    assert ask().facts.download_state is Download.READABLE
    assert file_server.requests[-1].headers["Range"] == "bytes=0-0"


def test_a_server_whose_head_has_no_length(ask, file_server):
    """Likewise, also if it knows no ranges."""
    file_server.inject(Fault("HEAD", headers={"Content-Length": None}, times=None))
    assert ask().facts.download_state is Download.READABLE
    file_server.inject(Fault("GET", status=200, body=RAW, headers={"Content-Range": None}))
    assert ask().facts.download_state is Download.READABLE


@pytest.mark.parametrize("server", [S3Server, GCSServer])
def test_buckets_as_they_are(server, http):
    """What everybody may read, what nobody may, and what S3 hides from who may not list."""
    with server() as bucket:
        bucket.put("files", "kubelet", RAW)
        url = f"{bucket.url}/files/kubelet"
        outcome = make_outcome(Kind.FILE, "u", url, State.COPIED, size=len(RAW))
        states = []
        for public in (False, True):
            bucket.public = public
            states.append(with_downloads([outcome], http)[0].facts.download_state)
        assert states == [Download.UNKNOWN, Download.READABLE]


def test_only_files_at_their_targets_are_asked_for(http):
    """Images, what failed, and what nodes download from upstream."""
    outcomes = [
        make_outcome(Kind.IMAGE, "a", "http://127.0.0.1:9/a", State.PRESENT),
        make_outcome(Kind.FILE, "b", "http://127.0.0.1:9/b", State.FAILED),
        make_outcome(Kind.FILE, "c", "http://127.0.0.1:9/c", State.NOT_MIRRORED),
        make_outcome(Kind.FILE, "d", "http://127.0.0.1:9/d", State.WRONG),
    ]
    assert with_downloads(outcomes, http) == outcomes


def test_an_outcome_survives_being_written():
    """As XCom and the report have it."""
    names, answer = (Kind.FILE, "a", "b"), Download.UNKNOWN
    outcome = make_outcome(*names, State.COPIED, version="v", download_state=answer)
    assert Outcome.from_dict(outcome.to_dict()) == outcome
