"""
kops is run as a child: what it says is understood, and nothing of it stays behind.

The program is a stand-in that replays output, errors and exit codes in the form that kOps v1.36.2
gives them. The real one was not run.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import (
    InvalidInputError,
    PermanentError,
    StoppedError,
    TransientError,
)
from kops_assets_provider.mirror.lists.get_list import ListRequest, make_list
from kops_assets_provider.mirror.lists.kops_command import KopsCommand

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
        "Error: googleapi: Error 503: Backend Error, backendError",
        "Error: googleapi: Error 500",
        "Error: googleapi: got HTTP response code 502 with body: <html>",
        "Error: api error: https response error StatusCode: 429, RequestID: x",
        "Error: 503 Service Unavailable",
        "Error: 429",
        "Error: HTTP/1.1 429",
        "Error: unexpected status 429 Too Many Requests",
        "Error: Too Many Requests",
        'Error: Get "https://s3/x?a=b": EOF',
        "Error: read tcp 10.0.0.1:1->10.0.0.2:443: EOF",
        "Error: net/http: TLS handshake timeout",
        'Error: Post "https://x/": read tcp: read: connection reset by peer',
        "Error: resource temporarily unavailable",
        "Error: Internal Server Error",
        "Error: 502 Bad Gateway",
        "Error: Gateway Timeout",
        "Error: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
    ],
)
def test_what_may_pass_is_transient(replay: Replay, said: str) -> None:
    """kOps ends with 1 in any case, so its words must tell."""
    with pytest.raises(TransientError, match="failed with status 1"):
        listed(replay(err=said, status=1))


@pytest.mark.parametrize(
    "said",
    [
        'Error: cluster "timeout.example.com" not found',
        "Error: cannot read s3://throttled-timeout/timeout.example.com/config: AccessDenied",
        "Error: bucket throttled-timeout is not yours",
        "Error: open /etc/timeout/503: permission denied",
        "Error: spec.api.timeout: Invalid value: 503: must be less",
        "Error: spec.timeoutSeconds: Invalid value: 500",
        "Error: yaml: line 429: did not find expected key",
        "Error: unknown field: EOFX, 429 of them",
    ],
)
def test_what_the_user_named_is_no_reason_to_try_again(replay: Replay, said: str) -> None:
    """A cluster, a bucket, a path or a field may be called as what passes is."""
    kops = replay(err=said, status=1)
    with pytest.raises(PermanentError, match="failed with status 1"):
        kops.list_assets("s3://throttled-timeout", "timeout.example.com")


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


def sleeper(tmp_path: Path, end: str = "wait", start: str = "") -> str:
    child = f"sh -c 'echo $$ > {tmp_path}/child; exec sleep 600'"
    return f"{start} {child} & until [ -s {tmp_path}/child ]; do sleep 0.01; done; {end}"


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[], int | None]]:
    """Tell what the program has started; it is dead in the end, at the latest by this."""

    def pid() -> int | None:
        file = tmp_path / "child"
        return int(file.read_text() or 0) if file.exists() else None

    yield pid
    if (left := pid()) and is_alive(left):
        os.kill(left, signal.SIGKILL)


def test_its_time_is_limited(replay: Replay, tmp_path: Path, child) -> None:
    """It is killed together with what it started."""
    kops = replay(extra=sleeper(tmp_path), timeout_seconds=0.5)
    with pytest.raises(TransientError, match=r"did not end within 0.5 s"):
        listed(kops)
    wait_until(lambda: not is_alive(child()))


def test_it_ends_with_its_task(replay: Replay, tmp_path: Path, child) -> None:
    """A killed task leaves no kops behind that asks the cloud for nobody."""
    kops = replay(extra=sleeper(tmp_path))
    threading.Thread(target=lambda: (wait_until(child), kops.stop())).start()
    with pytest.raises(StoppedError):
        listed(kops)
    wait_until(lambda: not is_alive(child()))


@pytest.mark.parametrize("status", [0, 1])
def test_what_it_started_ends_with_it(replay: Replay, tmp_path: Path, child, status: int) -> None:
    """Whether it is done or has failed: nobody waits for what it left, which holds its pipes."""
    kops = replay(json.dumps(LIST), "Error: x", status, extra=sleeper(tmp_path, ""))
    with pytest.raises(PermanentError) if status else nullcontext():
        assert listed(kops) == LIST
    wait_until(lambda: not is_alive(child()))


@pytest.mark.parametrize(("end", "seconds"), [("", 60), ("wait", 0.5)])
def test_who_got_away_is_not_waited_for(
    replay: Replay, tmp_path: Path, child, end: str, seconds: float
) -> None:
    """A process in a session of its own holds the pipes open, and what was said is there."""
    extra = sleeper(tmp_path, end, "setsid")
    kops = replay(json.dumps(LIST), extra=extra, timeout_seconds=seconds)
    started = time.monotonic()
    with pytest.raises(TransientError) if end else nullcontext():
        assert listed(kops) == LIST
    assert is_alive(child())
    assert time.monotonic() - started < 40


def test_a_stop_before_the_start_is_heeded() -> None:
    """The task may be killed before kops is there: it is not even looked for."""
    kops = KopsCommand("/nowhere/kops", {})
    kops.stop()
    with pytest.raises(StoppedError):
        listed(kops)


def test_a_stop_between_two_runs_is_heeded(replay: Replay, tmp_path: Path) -> None:
    """Also if kops was not running when it came."""
    kops = replay(json.dumps(LIST))
    assert kops.version() == "1.36.2"
    kops.stop()
    with pytest.raises(StoppedError):
        listed(kops)
    assert not (tmp_path / "argv").exists()


def test_a_stop_amid_the_start_is_heeded(replay: Replay, tmp_path: Path, child) -> None:
    """It comes when the program may run already, but nobody has got hold of it."""

    class StoppedAmid(KopsCommand):
        def _start(self, *given):
            self.stop()
            return super()._start(*given)

    replay(extra=sleeper(tmp_path))
    kops = StoppedAmid(str(tmp_path / "kops"), {"PATH": os.environ["PATH"]}, 5)
    with pytest.raises(StoppedError):
        listed(kops)
    wait_until(lambda: not (child() and is_alive(child())))


def test_a_stop_in_a_signal_handler_is_heeded(replay: Replay, tmp_path: Path, child) -> None:
    """Airflow's on_kill interrupts the very thread that runs kops."""
    kops = replay(extra=sleeper(tmp_path))
    before = signal.signal(signal.SIGUSR1, lambda *_: kops.stop())
    try:
        here = threading.main_thread().ident
        threading.Thread(
            target=lambda: (wait_until(child), signal.pthread_kill(here, signal.SIGUSR1))
        ).start()
        with pytest.raises(StoppedError):
            listed(kops)
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_until(lambda: not is_alive(child()))


def test_nobody_needs_to_reap_it(replay: Replay) -> None:
    """Where SIGCHLD is ignored, as below some shells, the system has done so already."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert listed(replay(json.dumps(LIST))) == LIST
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_its_output_is_limited(replay: Replay, tmp_path: Path) -> None:
    """It is killed as soon as it has printed more than any list has."""
    kops = replay(extra=f"head -c 100000000 /dev/zero; touch {tmp_path}/after")
    with pytest.raises(PermanentError, match="get printed more than 16 MiB"):
        listed(kops)
    assert not (tmp_path / "after").exists()


def test_a_long_list_passes(replay: Replay) -> None:
    """It is more than a pipe holds."""
    extra = "head -c 8000000 /dev/zero | tr '\\0' '\\n'; head -c 3000000 /dev/zero >&2"
    assert listed(replay(json.dumps(LIST), extra=extra)) == LIST


def test_of_a_long_log_the_end_is_kept(replay: Replay, tmp_path: Path) -> None:
    """All of it is read, or kops would wait; the error stands in its last lines."""
    log = tmp_path / "log"
    log.write_text("E: something long\n" * 100_000)
    kops = replay(err="Error: cluster not found", status=1, extra=f"cat {log} >&2")
    with pytest.raises(PermanentError, match="status 1: cluster not found"):
        listed(kops)


REQUEST = {"state_store": "s3://state", "cluster_name": "a.example.com"}


def test_its_list_has_the_shape_of_all(replay: Replay) -> None:
    """Cluster and release, which kops does not print."""
    found = make_list(ListRequest(**REQUEST), kops=replay(json.dumps(LIST)))
    assert found.to_saved() == {
        "cluster": "a.example.com",
        "kops_version": "1.36.2",
        "warnings": [],
        **LIST,
    }
    assert set(found.hash_sources.values()) == {"kops 1.36.2"}


def test_another_release_is_refused(replay: Replay) -> None:
    """What was asked for is what is listed."""
    with pytest.raises(InvalidInputError, match=r"1.35.0 is wanted, kops is 1.36.2"):
        make_list(ListRequest(**REQUEST, kops_version="1.35.0"), kops=replay(json.dumps(LIST)))
