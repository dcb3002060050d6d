"""
kops is run as a child: what it says is understood, and nothing of it stays behind.

The program is a stand-in that replays output, errors and exit codes in the form that kOps v1.36.2
gives them. The real one was not run.
"""

from __future__ import annotations

import json
import os
import shlex
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import (
    InvalidInputError,
    PermanentError,
    StoppedError,
    TransientError,
)
from kops_assets_provider.mirror.kops_command import KopsCommand
from kops_assets_provider.mirror.lists import ListRequest, make_list

LIST = {
    "images": [{"canonical": "registry.k8s.io/pause:3.9", "download": "r.example.com/pause:3.9"}],
    "files": [
        {
            "canonical": "https://dl.k8s.io/a/kubelet",
            "download": "https://f.example.com/k/a/kubelet",
            "sha": "0" * 64,
        }
    ],
}
BANNER = """
*********************************************************************************

A new kops version is available: 1.36.3
Upgrading is recommended
More information: https://github.com/kubernetes/kops/blob/master/permalinks/upgrade_kops.md

*********************************************************************************

"""
LOG = "I1123 20:01:02.123456   12345 builder.go:1] asking\nW1123 20:01:02.1 1 x.go:2] slow\n"
Replay = Callable[..., KopsCommand]


@pytest.fixture
def replay(tmp_path: Path) -> Replay:
    """Make a program that says what it is told to, and notes how it was called."""

    def make(out="", err="", status=0, version="1.36.2", extra="", **options):
        program = tmp_path / "kops"
        program.write_text(
            "#!/bin/sh\n"
            f"[ $1 = version ] && {{ echo {shlex.quote(version)}; exit; }}\n"
            f'printf "%s\\n" "$@" > {tmp_path}/argv; env > {tmp_path}/env\n{extra}\n'
            f"printf %s {shlex.quote(out)}; printf %s {shlex.quote(err)} >&2; exit {status}\n"
        )
        program.chmod(0o755)
        env = {"PATH": os.environ["PATH"], **options.pop("env", {})}
        return KopsCommand(str(program), env, **options)

    return make


def listed(kops):
    return kops.list_assets("s3://state", "a.example.com").to_dict()


@pytest.mark.parametrize("before", ["", BANNER, f"{BANNER}\n{{not json\n"])
def test_the_list_is_found_in_what_is_printed(replay: Replay, before: str) -> None:
    """kOps prints advice to standard output before the list, which is its last line."""
    assert listed(replay(before + json.dumps(LIST), LOG)) == LIST


def test_secrets_are_no_arguments(replay: Replay, tmp_path: Path) -> None:
    """They and the state store go by the environment, which holds nothing else."""
    kops = replay(json.dumps(LIST), env={"AWS_SECRET_ACCESS_KEY": "very-secret"})
    listed(kops)
    argv = (tmp_path / "argv").read_text().split()
    assert argv == ["get", "assets", "--name=a.example.com", "--output=json"]
    env = dict(x.split("=", 1) for x in (tmp_path / "env").read_text().splitlines() if "=" in x)
    assert env.keys() - {"PWD", "SHLVL", "_", "OLDPWD"} == {
        "PATH",
        "AWS_SECRET_ACCESS_KEY",
        "KOPS_STATE_STORE",
    }
    assert env["KOPS_STATE_STORE"] == "s3://state"


def test_its_error_is_passed_on(replay: Replay) -> None:
    """The last error in one line, without the log and without what may be secret."""
    said = f'{LOG}Error: cluster not found\n  "a.example.com" with very-secret\n'
    kops = replay(err=said, status=1, env={"AWS_SECRET_ACCESS_KEY": "very-secret"})
    with pytest.raises(PermanentError) as caught:
        listed(kops)
    assert str(caught.value).endswith(
        'get failed with status 1: cluster not found "a.example.com" with ***'
    )
    assert not isinstance(caught.value, TransientError)


@pytest.mark.parametrize(
    "said",
    [
        "Error: dial tcp 10.0.0.1:443: i/o timeout",
        "Error: operation error S3: GetObject, StatusCode: 503",
        "Error: RequestLimitExceeded: Request limit exceeded.",
        "Error: Get https://s3: dial tcp: lookup s3: no such host",
    ],
)
def test_what_may_pass_is_transient(replay: Replay, said: str) -> None:
    """kOps ends with 1 in any case, so its words must tell."""
    with pytest.raises(TransientError, match="failed with status 1"):
        listed(replay(err=said, status=1))


@pytest.mark.parametrize("out", ["", "no list", "{broken", "[1]"])
def test_no_list_is_an_error(replay: Replay, out: str) -> None:
    """Status 0 without a list is not believed."""
    with pytest.raises(PermanentError, match="printed no list in JSON"):
        listed(replay(out))


def test_what_is_shown_of_no_list_has_no_secret(replay: Replay) -> None:
    """A program that prints its environment gives nothing away; a proxy may have a password."""
    env = {"HCLOUD_TOKEN": "very-secret", "https_proxy": "http://u:pass@proxy"}
    with pytest.raises(PermanentError) as caught:
        listed(replay("it is very-secret by http://u:pass@proxy", env=env))
    assert "'it is *** by ***'" in str(caught.value)


def test_a_list_of_another_form_is_an_error(replay: Replay) -> None:
    """It is checked as any list is."""
    with pytest.raises(InvalidInputError, match="the output of"):
        listed(replay(json.dumps({"images": [{"canonical": 1}]})))


def test_silence_is_told(replay: Replay) -> None:
    """A status alone is all that there is to tell."""
    with pytest.raises(PermanentError, match="failed with status 7: it said nothing"):
        listed(replay(status=7))


def test_an_end_by_a_signal_is_transient(replay: Replay) -> None:
    """Somebody killed it: the memory was short, or the machine goes down."""
    with pytest.raises(TransientError, match="ended by signal 9"):
        listed(replay(extra="kill -9 $$"))


@pytest.mark.parametrize("program", ["/nowhere/kops", "/etc/passwd", "/"])
def test_a_program_that_cannot_be_run_is_told(program: str) -> None:
    """The error names it."""
    with pytest.raises(InvalidInputError, match=f"kops command '{program}'"):
        KopsCommand(program, {}).version()


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def sleeper(tmp_path: Path) -> str:
    return f"sleep 600 & echo $! > {tmp_path}/child; wait"


def test_its_time_is_limited(replay: Replay, tmp_path: Path) -> None:
    """It is killed together with what it started."""
    kops = replay(extra=sleeper(tmp_path), timeout_seconds=0.5)
    with pytest.raises(TransientError, match=r"did not end within 0.5 s"):
        listed(kops)
    wait_until(lambda: not is_alive(int((tmp_path / "child").read_text())))


def test_it_ends_with_its_task(replay: Replay, tmp_path: Path) -> None:
    """A killed task leaves no kops behind that asks the cloud for nobody."""
    kops = replay(extra=sleeper(tmp_path))
    child = tmp_path / "child"
    threading.Thread(
        target=lambda: (wait_until(lambda: child.exists() and child.read_text()), kops.stop())
    ).start()
    with pytest.raises(StoppedError):
        listed(kops)
    wait_until(lambda: not is_alive(int(child.read_text())))


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


REQUEST = {"state_store": "s3://state", "cluster_name": "a.example.com"}


def test_its_list_has_the_shape_of_all(replay: Replay) -> None:
    """Cluster, release, and the record's place, which is beside the files."""
    found = make_list(ListRequest(**REQUEST), kops=replay(json.dumps(LIST)))
    assert found.to_dict() == {
        "cluster": "a.example.com",
        "kops_version": "1.36.2",
        "record_url": "https://f.example.com/k/kops-assets",
        "warnings": [],
        **LIST,
    }
    assert set(found.hash_sources.values()) == {"kops 1.36.2"}


def test_another_release_is_refused(replay: Replay) -> None:
    """What was asked for is what is listed."""
    with pytest.raises(InvalidInputError, match=r"1.35.0 is wanted, kops is 1.36.2"):
        make_list(ListRequest(**REQUEST, kops_version="1.35.0"), kops=replay(json.dumps(LIST)))
