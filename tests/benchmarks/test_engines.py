"""What the programs are told, how they are run, and in which order."""

from __future__ import annotations

import json
import sys

import pytest
import yaml
from image_copies import client
from image_copies.client import BenchmarkError, interpreter_usage, run_client
from image_copies.engines import ENGINES, OURS, Engine, Job, chosen_engines, rotated

from kops_assets_provider.testing.processes import MissingComponentError

JOB = Job("127.0.0.1:1", "127.0.0.1:2", ("app01", "app02"), 7)


def commands_of(name, directory):
    """Return the arguments that an engine gets, whether it is installed or not."""
    (engine,) = [x for x in ENGINES if x.name == name]
    told = Engine(name, (sys.executable, *engine.command[1:]))
    return [command[1:] for command in told.commands(JOB, directory)]


def test_ours_gets_a_list(tmp_path):
    """One process, with all images in a saved list."""
    listed = tmp_path / "list.json"
    wanted = ["copy", "--from", str(listed), "--jobs", "7", "--output", "json"]
    assert commands_of(OURS, tmp_path) == [wanted]
    assert json.loads(listed.read_text())["images"] == [
        {"canonical": "127.0.0.1:1/app01:v1", "download": "127.0.0.1:2/app01:v1"},
        {"canonical": "127.0.0.1:1/app02:v1", "download": "127.0.0.1:2/app02:v1"},
    ]


def test_skopeo_sync_gets_a_list(tmp_path):
    """One process, with all images in skopeo's own form of a list."""
    listed = tmp_path / "skopeo.yaml"
    (command,) = commands_of("skopeo-sync", tmp_path)
    assert command[-2:] == [str(listed), "127.0.0.1:2"]
    images = {"app01": ["v1"], "app02": ["v1"]}
    assert yaml.safe_load(listed.read_text()) == {
        "127.0.0.1:1": {"tls-verify": False, "images": images}
    }


@pytest.mark.parametrize("name", ["crane", "oras", "regctl"])
def test_others_get_an_image_each(name, tmp_path):
    """A process for each image, from and to the same name."""
    commands = commands_of(name, tmp_path)
    assert [command[-2:] for command in commands] == [
        ["127.0.0.1:1/app01:v1", "127.0.0.1:2/app01:v1"],
        ["127.0.0.1:1/app02:v1", "127.0.0.1:2/app02:v1"],
    ]


def test_each_engine_is_first_in_turn():
    """No engine always follows the same one's mess, or always comes first."""
    engines = list(ENGINES[:3])
    first = [rotated(engines, number)[0].name for number in range(4)]
    assert first == [OURS, "skopeo-sync", "skopeo-copy", OURS]
    assert all(sorted(x.name for x in rotated(engines, 2)) == sorted(first[:3]) for _ in first)


def test_missing_engine_that_was_asked_for(monkeypatch):
    """It is an error, where without a name it would be left out."""
    gone = Engine("gone", ("no-such-program",))
    monkeypatch.setattr("image_copies.engines.ENGINES", (gone,))
    assert chosen_engines([]) == []
    with pytest.raises(MissingComponentError, match="gone"):
        chosen_engines(["gone"])


def test_usage_is_the_sum_of_times_and_the_largest_peak(tmp_path):
    """Two processes, one after the other, of which one takes memory."""
    sleep = [sys.executable, "-c", "import time; time.sleep(0.1)"]
    fill = [sys.executable, "-c", "x = b'1' * 50_000_000"]
    usage = run_client([sleep, fill, sleep], tmp_path)
    assert 0.2 < usage.wall < 10
    assert 0 < usage.cpu < usage.wall
    assert usage.peak_rss > 50_000_000


def test_a_large_parent_is_not_measured(tmp_path):
    """Neither this process's memory nor Airflow's in it is the client's."""
    large = b"1" * 200_000_000
    assert interpreter_usage(tmp_path, runs=1).peak_rss < 50_000_000 < len(large)


def test_failed_client(tmp_path):
    """The message has its status and what it printed; what comes after it is not run."""
    fail = [sys.executable, "-c", "print('no such image'); raise SystemExit(3)"]
    after = [sys.executable, "-c", f"open({str(tmp_path / 'ran')!r}, 'w')"]
    with pytest.raises(BenchmarkError, match=r"(?s)ended with 3.*no such image"):
        run_client([fail, after], tmp_path)
    assert not (tmp_path / "ran").exists()


def test_client_that_hangs(tmp_path, monkeypatch):
    """It is ended, and that is told."""
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    with pytest.raises(BenchmarkError, match=r"sleep has not ended in 0\.3 s"):
        run_client([["sleep", "100"]], tmp_path)


def test_program_that_does_not_exist(tmp_path):
    """It is an error like that of a program that fails."""
    with pytest.raises(BenchmarkError, match=r"(?s)no-such-program ended with nothing.*Errno 2"):
        run_client([["no-such-program"]], tmp_path)


def test_client_has_an_empty_home(tmp_path, monkeypatch):
    """Nobody's settings and credentials take part."""
    monkeypatch.setenv("REGISTRY_AUTH_FILE", "/secret")
    check = "import os; assert 'REGISTRY_AUTH_FILE' not in os.environ; print(os.environ['HOME'])"
    run_client([[sys.executable, "-c", check]], tmp_path)
    assert (tmp_path / "client.log").read_text().strip() == str(tmp_path)
