"""
A program that is run as a child: what it says is read up to a limit, and its group ends with it.

One thread reads both of its pipes, each only when there is something in it: nobody is left waiting
when a process that got away (by a session of its own) holds them open. The leader is reaped last:
as long as it is a zombie, its id, which is its group's too, is nobody else's, and the group can be
killed.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from kops_assets_provider.exceptions import PermanentError, TransientError
from kops_assets_provider.mirror.places.state.ports import MAX_BYTES

_MAX_LOG_BYTES = 64 << 10  # of its standard error: the last of it
_PIPE_BYTES = 1 << 20  # more than a pipe holds, so one read has all that is in it
_PAUSE = 0.02  # seconds between two looks at whether it is over
_PATIENCE = 5.0  # seconds for a killed process to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended, and what it printed; of a long ``err`` the last lines are there."""

    status: int
    out: str
    err: str


class ChildProcess:
    """
    A program that runs.

    :param what: what it is called in messages.
    :raises OSError: it cannot be run.
    :raises ValueError: no program can have such arguments or such an environment.
    """

    def __init__(self, what: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._what = what
        self._out, self._err = bytearray(), bytearray()
        self._is_cut = self._is_killed = self._is_reaped = False
        # Reentrant: Airflow kills in a signal handler, which may interrupt who holds it.
        self._lock = threading.RLock()
        self._process = subprocess.Popen(  # noqa: S603  # no shell, and it is the user's own
            arguments,
            bufsize=0,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self, timeout_seconds: float) -> Ended:
        """
        Wait until it has ended or was killed; its group is gone then, whatever happens here.

        :raises TransientError: it did not end in time.
        :raises PermanentError: it printed more than 16 MiB.
        """
        try:
            self._follow(timeout_seconds)
        finally:
            self._end()
        err = self._err.decode(errors="replace")
        if self._is_cut:
            # The first line may begin amid a secret, which nobody could recognise there.
            err = f"[...]\n{err.partition(chr(10))[2]}"
        return Ended(
            status=self._process.returncode, out=self._out.decode(errors="replace"), err=err
        )

    def kill(self) -> None:
        """Kill it and what it has started, from any thread or signal handler."""
        with self._lock:
            self._is_killed = True
            if not self._is_reaped:
                # Not permitted: it runs with the rights of somebody else.
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def _follow(self, timeout_seconds: float) -> None:
        end = time.monotonic() + timeout_seconds
        pipes = {self._process.stdout: self._keep_out, self._process.stderr: self._keep_err}
        with selectors.DefaultSelector() as selector:
            for pipe, keep in pipes.items():
                if pipe:
                    selector.register(pipe, selectors.EVENT_READ, keep)
            while not (self._is_killed or self._has_ended()):
                if time.monotonic() > end:
                    raise TransientError(f"{self._what} did not end within {timeout_seconds:g} s")
                self._read_ready(selector, _PAUSE)
            # Its last words are in the pipes still.
            self._read_ready(selector, 0)

    @staticmethod
    def _read_ready(selector: selectors.BaseSelector, seconds: float) -> None:
        for key, _ in selector.select(seconds):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]  # what was registered
            keep: Callable[[bytes], None] = key.data
            if some := pipe.read(_PIPE_BYTES):
                keep(some)
            else:
                selector.unregister(pipe)

    def _keep_out(self, some: bytes) -> None:
        self._out += some
        if len(self._out) > MAX_BYTES:
            limit = f"more than {MAX_BYTES >> 20} MiB, which no list is"
            raise PermanentError(f"{self._what} printed {limit}, and was killed: is it kops?")

    def _keep_err(self, some: bytes) -> None:
        self._err += some
        if len(self._err) > _MAX_LOG_BYTES:
            self._is_cut = True
            del self._err[:-_MAX_LOG_BYTES]

    def _has_ended(self) -> bool:
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        except ChildProcessError:
            return True  # nobody needs to reap it where SIGCHLD is ignored

    def _end(self) -> None:
        self.kill()
        with self._lock:
            self._is_reaped = True
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe:
                pipe.close()
