"""What the programs that copy files are told, and which of them can take part."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace

import pytest

from benchmarks.files import __main__ as program
from benchmarks.files import trial
from benchmarks.files.engines import ENGINES, Engine, Job
from benchmarks.files.file_set import SourceFile, write_files
from benchmarks.files.servers import Target
from benchmarks.files.trial import able_engines
from benchmarks.measuring.client import BenchmarkError
from benchmarks.measuring.servers import Server
from tests.support.component import Component, S3Component

FILES = [SourceFile("file01", 5, "a" * 64), SourceFile("file02", 6, "b" * 64)]
S3 = S3Component(2, None, access_key="key", secret_key="secret")
TARGET = Target(S3, 0, "http://127.0.0.1:2")
JOB = Job("http://127.0.0.1:1", TARGET, FILES, 7)


def client_of(name, directory, job=JOB):
    """Return what an engine is told, whether it is installed or not."""
    (engine,) = [x for x in ENGINES if x.name == name]
    return replace(engine, command=(sys.executable, *engine.command[1:])).client(job, directory)


def test_files(tmp_path):
    """The same bytes each time, of the size that was asked for, and other ones in each file."""
    first, second = write_files(tmp_path, 2, 1_500_000)
    assert write_files(tmp_path / "again", 2, 1_500_000) == [first, second]
    assert first.sha != second.sha
    content = (tmp_path / "file01").read_bytes()
    assert len(content) == first.size == 1_500_000
    assert hashlib.sha256(content).hexdigest() == first.sha


def test_ours_gets_a_list(tmp_path):
    """One process, with all files in a saved list, and where they go."""
    (command,) = client_of("kops-assets", tmp_path).commands
    listed = tmp_path / "list.json"
    to = ["--file-target", "http://127.0.0.1:2/mirror=s3://mirror"]
    wanted = ["copy", "--from", str(listed), *to, "--jobs", "7", "--quiet"]
    assert command[1:] == wanted
    assert json.loads(listed.read_text())["files"][1] == {
        "canonical": "http://127.0.0.1:1/file02",
        "download": "http://127.0.0.1:2/mirror/file02",
        "sha": "b" * 64,
    }


def test_credentials_are_in_the_environment(tmp_path):
    """All engines find the same server, and nothing secret is among arguments."""
    for engine in ENGINES:
        client = client_of(engine.name, tmp_path)
        assert client.environment["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:2"
        assert client.environment["AWS_SECRET_ACCESS_KEY"] == "secret"
        assert "secret" not in str(client.commands)


def test_rclone_gets_a_file_each(tmp_path):
    """A process for each file, so many at a time."""
    client = client_of("rclone", tmp_path)
    assert client.at_a_time == 7
    assert [command[-2:] for command in client.commands] == [
        ["http://127.0.0.1:1/file01", ":s3:mirror/file01"],
        ["http://127.0.0.1:1/file02", ":s3:mirror/file02"],
    ]


def test_nothing_to_copy_is_told_to_who_has_to_be(tmp_path):
    """Ours looks by itself, the other one is asked to."""
    full = replace(JOB, skip_present=True)
    commands = [
        client_of(name, tmp_path, job).commands
        for name in ("kops-assets", "upload_fileobj")
        for job in (JOB, full)
    ]
    assert commands[0] == commands[1]
    assert commands[3] == [[*commands[2][0], "--skip-present"]]


def test_who_cannot_leave_alone_what_is_there(capsys):
    """Has no part in a measurement of that."""
    with pytest.raises(SystemExit):
        program.main(["--no-change", "--engine", "rclone"])
    assert "rclone: would copy everything again" in capsys.readouterr().err


def test_engine_that_fails_its_trial(tmp_path, monkeypatch):
    """It is left out; if it was asked for by its name, it is an error."""

    def fail(*_):
        raise BenchmarkError("no such command")

    monkeypatch.setattr(trial, "run_client", fail)
    monkeypatch.setattr(trial, "fresh_target", lambda _: _Given(TARGET))
    old = Engine("old", (sys.executable,), is_tried=True)
    sure = Engine("sure", (sys.executable,))
    source = Server(Component(1, None), 0)
    assert able_engines([old, sure], [], source, tmp_path) == [sure]
    with pytest.raises(BenchmarkError, match="no such command"):
        able_engines([old, sure], ["old"], source, tmp_path)


class _Given:
    def __init__(self, value):
        self._value = value

    def __enter__(self):
        return self._value

    def __exit__(self, *_):
        return None
