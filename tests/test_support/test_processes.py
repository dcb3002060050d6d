"""Child processes: ready when they are handed out, and gone afterwards whatever they do."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import (
    ComponentFailedError,
    MissingComponentError,
    ServerProcess,
    _is_free,
    find_program,
    free_ports,
    processes_of_session,
    running,
)

# A server with a helper in a process group of its own, neither of which minds SIGTERM.
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
print("ready", flush=True)
time.sleep(600)
"""


def start(code, log):
    return ServerProcess([sys.executable, "-c", code], log)


def wait_for_text(log, text, times=1):
    deadline = time.monotonic() + 60
    while log.read_text().count(text) < times:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_ends_the_whole_session(tmp_path):
    """Helpers with process groups of their own are killed as well."""
    log = tmp_path / "log"
    server = start(STUBBORN, log)
    wait_for_text(log, "ready", times=2)
    assert len(processes_of_session(server.session)) == 2
    server.kill()
    assert processes_of_session(server.session) == []


def test_stop_is_polite_first(tmp_path):
    """A server that ends on SIGTERM is not killed; one that does not, is after the time."""
    log = tmp_path / "log"
    polite = "import signal, sys, time\n"
    polite += "signal.signal(signal.SIGTERM, lambda *_: (print('bye', flush=True), sys.exit()))\n"
    server = start(polite + "print('ready', flush=True); time.sleep(600)", log)
    wait_for_text(log, "ready")
    server.stop(10)
    assert "bye" in log.read_text()
    stubborn = start(STUBBORN, log)
    wait_for_text(log, "ready", times=3)
    stubborn.stop(0.2)
    assert processes_of_session(stubborn.session) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_running_ends_with_its_block(tmp_path, error):
    """Whatever ends the block ends the server."""
    server = start("import time; time.sleep(600)", tmp_path / "log")

    def fail():
        with running(server, lambda: True):
            raise error

    with pytest.raises(error):
        fail()
    assert processes_of_session(server.session) == []


def test_server_that_ends_too_early(tmp_path):
    """The error says how it ended, and quotes its log."""
    server = start("import sys; sys.exit('no such option')", tmp_path / "log")
    with pytest.raises(ComponentFailedError, match=r"(?s)ended with 1.*no such option"):
        server.wait_ready(lambda: False, 10)
    server.kill()


def test_server_that_never_becomes_ready(tmp_path):
    """The wait has an end."""
    server = start("import time; time.sleep(600)", tmp_path / "log")
    with (
        pytest.raises(ComponentFailedError, match=r"not ready after 0\.2 s"),
        running(server, lambda: False, timeout=0.2),
    ):
        pass
    assert processes_of_session(server.session) == []


def test_program_that_runs_to_its_end(tmp_path):
    """Success is silent; failure and taking too long are errors."""
    start("pass", tmp_path / "log").wait_end(10)
    with pytest.raises(ComponentFailedError, match="ended with 3"):
        start("raise SystemExit(3)", tmp_path / "log").wait_end(10)
    slow = start("import time; time.sleep(600)", tmp_path / "log")
    with pytest.raises(ComponentFailedError, match=r"not ended in 0\.2 s"):
        slow.wait_end(0.2)
    assert processes_of_session(slow.session) == []


def test_free_ports_are_free_and_different():
    """Ports can be listened on, and so can those that lie higher by the offset."""
    ports = free_ports(3, offset=10_000)
    assert len(set(ports)) == 3
    for port in ports:
        for number in (port, port + 10_000):
            with socket.create_server(("127.0.0.1", number)):
                pass


def test_ports_are_not_given_out_twice():
    """Who has asked for a port has time to listen on it."""
    given = [free_ports(1)[0] for _ in range(300)]
    assert len(set(given)) == 300


def test_port_in_use_is_not_free():
    """A port that somebody listens on is not given out."""
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as taken:
        assert not _is_free(taken.getsockname()[1])


def test_program_beside_this_python_comes_first():
    """Programs of this environment are found without PATH."""
    assert find_program("pytest").parent == Path(sys.executable).parent


def test_missing_program():
    """The error has the name, and what to do."""
    with pytest.raises(MissingComponentError, match="no-such-program is not installed") as error:
        find_program("no-such-program")
    assert error.value.name == "no-such-program"


@pytest.mark.parametrize(("required", "outcome"), [("0", "1 skipped"), ("1", "1 failed")])
def test_missing_component_skips_or_fails(tmp_path, required, outcome):
    """A test whose program is missing is skipped, or fails where all have to be there."""
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    test = "def test_it(require): require('no-such-program')\n"
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "."]
    result = subprocess.run(
        command, cwd=tmp_path, env={"REQUIRE_COMPONENTS": required}, capture_output=True, text=True
    )
    assert outcome in result.stdout
    assert "no-such-program is not installed" in result.stdout
