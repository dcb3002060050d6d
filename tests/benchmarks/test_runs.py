"""The rule that discards runs, and what is read from access logs and /proc."""

from __future__ import annotations

import pytest

from benchmarks.images.runs import Traffic, traffic_of
from benchmarks.measuring.processes import CpuTimes, busy_seconds, cpu_seconds
from benchmarks.measuring.runs import Cost, DiscardRule, Run, attempts
from tests.support.access_log import read_access_log


def make_run(wall=10.0, other_cpu=0.0):
    return Run("crane", 1, Cost(wall, 1, 1, 1, other_cpu, peak_rss=0))


@pytest.mark.parametrize(
    ("wall", "other_cpu", "discarded"),
    [
        (10, 1.0, False),
        (10, 1.01, True),
        (1, 0.3, False),
        (1, 0.31, True),
    ],
)
def test_rule(wall, other_cpu, discarded):
    """Others may use 5 % of two cores, or 0.3 s if that is more."""
    assert DiscardRule(cores=2).judged(make_run(wall, other_cpu)).discarded is discarded


def test_rule_is_told():
    """What is printed has the numbers that are used."""
    text = str(DiscardRule(cores=3, share=0.07, floor=0.4, repeats=9))
    assert all(number in text for number in ("3 cores", "7%", "0.4 s", "9 times"))


@pytest.mark.parametrize(
    ("loads", "discarded"),
    [
        ([0], [False]),
        ([9, 0], [True, False]),
        ([9, 9, 9], [True, True, True]),
    ],
)
def test_attempts(loads, discarded):
    """A discarded run is repeated, but not for ever; all runs are told."""
    left = iter(loads)
    runs = attempts(lambda: make_run(other_cpu=next(left)), DiscardRule(cores=2, repeats=2))
    assert [run.discarded for run in runs] == discarded
    assert list(left) == []


LOG = """\
127.0.0.1 - - [24/Nov/2026:20:41:00 +0000] "GET /v2/ HTTP/1.1" 200 2 "" "skopeo/1.9.3"
127.0.0.1 - - [24/Nov/2026:20:41:00 +0000] "HEAD /v2/app01/blobs/sha256:00 HTTP/1.1" 404 157 "" "x"
time="2026-11-24T20:41:00Z" level=error msg="response completed with error" go.version=go1.19.8
127.0.0.1 - - [24/Nov/2026:20:41:00 +0000] "GET /v2/app01/blobs/sha256:00 HTTP/1.1" 200 700 "" "x"
127.0.0.1 - - [24/Nov/2026:20:41:01 +0000] "GET /v2/app01/blobs/sha256:11 HTTP/1.1" 206 77 "" "x"
127.0.0.1 - - [24/Nov/2026:20:41:01 +0000] "GET /v2/app01/manifests/v1 HTTP/1.1" 200 1234 "" "x"
127.0.0.1 - - [24/Nov/2026:20:41:01 +0000] "PUT /v2/app01/blobs/uploads/1?x HTTP/1.1" 201 0 "" "x"
127.0.0.1 - - [24/Nov/2026:20:41:01 +0000] "PUT /v2/app01/manifests/v1 HTTP/1.1" 201 0 "" "x"
"""


def test_access_log(tmp_path):
    """Requests of all kinds are counted, bytes of those alone that read a blob."""
    log = tmp_path / "registry.log"
    log.write_text(LOG)
    assert traffic_of(read_access_log(log)) == Traffic(7, 777, 1)


def test_times_of_a_process():
    """A name may look like anything."""
    stat = "7 (a) b 1 2) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 5 6 7"
    assert cpu_seconds(stat) == pytest.approx(2.0)


def test_times_of_the_machine():
    """Idle and waiting is not busy; of guests nothing is counted twice."""
    stat = "cpu  100 10 20 5000 600 3 4 63 50 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
    assert busy_seconds(stat) == pytest.approx(2.0)


def test_others():
    """Others are all but this process, its children and the servers."""
    before = CpuTimes(busy=100, own=10, servers=(1, 2))
    after = CpuTimes(busy=110, own=13, servers=(2, 4.5))
    assert after.servers_since(before) == [1, 2.5]
    assert after.others_since(before) == pytest.approx(3.5)


def test_others_are_never_less_than_nothing():
    """Times are sampled: the parts may be a little more than the whole."""
    assert CpuTimes(1.0, 1.01, ()).others_since(CpuTimes(0, 0, ())) == 0
