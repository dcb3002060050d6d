"""
The list that ``kops get assets`` itself gives, for releases that there is no catalogue for.

The program gets an environment that its caller chooses, and nothing secret as an argument, since
arguments can be seen by everybody on the machine.
Rule: ``cmd/kops/get_assets.go`` and ``cmd/kops/version.go``, kOps v1.36.2.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kops_assets_provider.exceptions import (
    InvalidInputError,
    KopsAssetsError,
    PermanentError,
    StoppedError,
    TransientError,
)
from kops_assets_provider.http.urls import redact
from kops_assets_provider.kops.assets import ClusterAssets

_TIMEOUT = 600.0  # seconds; kOps asks the cloud about hundreds of things
_SHOWN = 1000  # characters of what it says, in a message
_SECRET = re.compile(r"SECRET|TOKEN|PASSWORD|KEY|CREDENTIAL|PROXY", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+")
_LOG_LINE = re.compile(r"[IW]\d{4} \d\d:\d\d:")
# kOps ends with 1 whatever happened; Go's and AWS' words tell what may pass.
_MAY_PASS = re.compile(
    r"timeout|deadline exceeded|connection (?:refused|reset)|no such host|unexpected EOF"
    r"|Throttl|RequestLimitExceeded|SlowDown|ServiceUnavailable|StatusCode: 5\d\d",
    re.IGNORECASE,
)


class KopsCommand:
    """
    A kops program.

    :param program: its path, or its name if it is on the PATH.
    :param env: all of its environment: credentials too belong here.
    :param timeout_seconds: after which it is killed.
    """

    def __init__(
        self, program: str, env: Mapping[str, str], timeout_seconds: float = _TIMEOUT
    ) -> None:
        self._program = program
        self._env = dict(env)
        self._timeout = timeout_seconds
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def version(self) -> str:
        """Return the program's release, ``1.36.2``; raises what :meth:`list_assets` raises."""
        return self._run(["version", "--short"]).strip()

    def list_assets(self, state_store: str, cluster: str) -> ClusterAssets:
        """
        Return what the program lists for a cluster.

        :raises InvalidInputError: the program cannot be run.
        :raises PermanentError: it failed, or printed no list; the message has what it said.
        :raises TransientError: it failed for what may pass, or did not end in time.
        """
        # The cluster's name in one word with its option: it could look like another option.
        arguments = ["get", "assets", f"--name={cluster}", "--output=json"]
        out = self._run(arguments, {"KOPS_STATE_STORE": state_store})
        return ClusterAssets.from_dict(self._json(out), f"the output of {self._program}")

    def stop(self) -> None:
        """Kill the program, and what it has started, if it runs."""
        self._stopped = True
        if self._process and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _run(self, arguments: Sequence[str], env: Mapping[str, str] | None = None) -> str:
        what = f"{self._program} {arguments[0]}"
        self._process = process = self._start(arguments, {**self._env, **(env or {})})
        try:
            out, err = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired:
            raise TransientError(f"{what} did not end within {self._timeout:g} s") from None
        finally:
            # Also when the task is over: no kops may go on without anybody waiting for it.
            self._kill(process)
        if self._stopped:
            raise StoppedError(f"{what} was stopped, because the task was killed")
        if process.returncode:
            raise self._failure(what, process.returncode, err or out)
        return out

    def _start(self, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(  # noqa: S603  # no shell, and the program is the user's own
                [self._program, *arguments],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except (OSError, ValueError) as err:
            reason = err.strerror if isinstance(err, OSError) else err
            raise InvalidInputError(f"kops command {self._program!r}", [f"{reason}"]) from err

    @staticmethod
    def _kill(process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def _failure(self, what: str, status: int, said: str) -> KopsAssetsError:
        if status < 0:
            return TransientError(f"{what} was ended by signal {-status}")
        reason = self._redacted(_reason(said)) or "it said nothing"
        kind = TransientError if _MAY_PASS.search(reason) else PermanentError
        return kind(f"{what} failed with status {status}: {reason}")

    def _json(self, out: str) -> object:
        # kOps prints advice ("A new kops version is available") before the list: the last line.
        lines = [line for line in out.splitlines() if line.startswith("{")]
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            shown = self._redacted(" ".join(out.split()))[:200]
            message = f"{self._program} printed no list in JSON, but {shown!r}"
            raise PermanentError(message) from None

    def _redacted(self, text: str) -> str:
        for name, value in self._env.items():
            if _SECRET.search(name) and len(value) > 3:
                text = text.replace(value, "***")
        # URLs in kOps' words may be signed, or hold a password.
        return _URL.sub(lambda url: redact(url.group()), text)[:_SHOWN]


def _reason(said: str) -> str:
    """Return kOps' last error in one line, without what it logged on the way."""
    lines = [x for x in said.splitlines() if x.strip() and not _LOG_LINE.match(x)]
    starts = [n for n, line in enumerate(lines) if line.startswith("Error:")]
    last = lines[starts[-1] :] if starts else lines[-5:]
    return " ".join(" ".join(last).split()).removeprefix("Error: ")
