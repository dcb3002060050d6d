"""How a client is run, and what it took."""

from __future__ import annotations

import sys

import pytest

from benchmarks.measuring import client
from benchmarks.measuring.client import BenchmarkError, Client, interpreter_usage, run_client


def test_usage_is_the_sum_of_times_and_the_largest_peak(tmp_path):
    """Two processes, one after the other, of which one takes memory."""
    sleep = [sys.executable, "-c", "import time; time.sleep(0.1)"]
    fill = [sys.executable, "-c", "x = b'1' * 50_000_000"]
    usage = run_client(Client([sleep, fill, sleep]), tmp_path)
    assert 0.2 < usage.wall < 10
    assert 0 < usage.cpu < usage.wall
    assert usage.peak_rss > 50_000_000


MEET = """
import pathlib, sys, time
(pathlib.Path(sys.argv[1]) / sys.argv[2]).touch()
while len(list(pathlib.Path(sys.argv[1]).glob("met*"))) < 3:
    time.sleep(0.01)
"""


def test_side_by_side(tmp_path, monkeypatch):
    """Three that wait for each other end if three run at a time, and otherwise do not."""
    commands = [[sys.executable, "-c", MEET, str(tmp_path), f"met{x}"] for x in range(3)]
    monkeypatch.setattr(client, "TIMEOUT", 0.5)
    with pytest.raises(BenchmarkError, match="has not ended"):
        run_client(Client(commands, at_a_time=2), tmp_path)
    for path in tmp_path.glob("met*"):
        path.unlink()
    monkeypatch.setattr(client, "TIMEOUT", 60)
    assert run_client(Client(commands, at_a_time=3), tmp_path).cpu > 0


def test_no_more_at_a_time_than_said(tmp_path):
    """Two and two take as long as one and one."""
    sleep = ["sleep", "0.3"]
    assert run_client(Client([sleep] * 4, at_a_time=2), tmp_path).wall > 0.6


def test_a_large_parent_is_not_measured(tmp_path):
    """Neither this process's memory nor Airflow's in it is the client's."""
    large = b"1" * 200_000_000
    assert interpreter_usage(tmp_path, runs=1).peak_rss < 50_000_000 < len(large)


def test_failed_client(tmp_path):
    """The message has its status and what it printed; what comes after it is not run."""
    fail = [sys.executable, "-c", "print('no such image'); raise SystemExit(3)"]
    after = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    with pytest.raises(BenchmarkError, match=r"(?s)ended with 3.*no such image"):
        run_client(Client([fail, after]), tmp_path)
    assert not (tmp_path / "ran").exists()


def test_client_that_hangs(tmp_path, monkeypatch):
    """It is ended, and that is told."""
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    with pytest.raises(BenchmarkError, match=r"sleep has not ended in 0\.3 s"):
        run_client(Client([["sleep", "100"]]), tmp_path)


def test_program_that_does_not_exist(tmp_path):
    """It is an error like that of a program that fails."""
    with pytest.raises(BenchmarkError, match=r"(?s)no-such-program ended with nothing.*Errno 2"):
        run_client(Client([["no-such-program"]]), tmp_path)


def test_client_has_an_empty_home(tmp_path, monkeypatch):
    """Nobody's settings and credentials take part."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/secret")
    check = "import os; assert 'REGISTRY_AUTH_FILE' not in os.environ; print(os.environ['HOME'])"
    run_client(Client([[sys.executable, "-c", check]]), tmp_path)
    assert (tmp_path / "client.log").read_text().strip() == str(tmp_path)


def test_client_has_what_it_is_given(tmp_path):
    """Credentials of the benchmark's own servers, in its environment."""
    show = [sys.executable, "-c", "import os; print(os.environ['GIVEN'])"]
    run_client(Client([show], environment={"GIVEN": "this"}), tmp_path)
    assert (tmp_path / "client.log").read_text().strip() == "this"
