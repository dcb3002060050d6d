"""Starts a client, waits for it, and knows what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from image_copies import run_commands
from kops_assets_provider.exceptions import PermanentError

TIMEOUT = 900.0


class BenchmarkError(PermanentError):
    """A client failed or did something else than it should: there is nothing to measure."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a client took, with all its children: seconds, CPU seconds, bytes."""

    wall: float
    cpu: float
    peak_rss: int


def run_client(commands: Sequence[Sequence[str]], directory: Path) -> Usage:
    """
    Run commands one after the other, with ``directory`` as their home.

    :raises BenchmarkError: one of them failed. The message quotes the end of what it printed.
    """
    log = directory / "client.log"
    arguments = _joined(commands)
    output = _run_helper(arguments, directory, log)
    # Nothing, if there is no such program.
    wall, cpu, peak, status = output.split() or ("0", "0", "0", "nothing")
    if status != "0":
        printed = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise BenchmarkError(
            f"{arguments[0]} ended with {status}. The end of its output:\n{printed}"
        )
    return Usage(float(wall), float(cpu), int(peak) * 1024)


def _joined(commands: Sequence[Sequence[str]]) -> list[str]:
    joined = [x for command in commands for x in (run_commands.SEPARATOR, *command)]
    return joined[1:]


def _run_helper(arguments: Sequence[str], directory: Path, log: Path) -> str:
    helper = [sys.executable, "-I", "-S", run_commands.__file__, *arguments]
    # A session of its own, so that nothing is left of a client that hangs.
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            helper,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=_environment(directory),
            start_new_session=True,
            text=True,
        ) as process,
    ):
        try:
            return process.communicate(timeout=TIMEOUT)[0]
        except subprocess.TimeoutExpired as err:
            raise BenchmarkError(f"{arguments[0]} has not ended in {TIMEOUT:g} s") from err
        finally:
            _kill_session(process)


def _kill_session(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _environment(directory: Path) -> dict[str, str]:
    """No credentials, proxies or settings of whoever runs this: an empty home instead."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), "LANG": "C.UTF-8"}


def interpreter_usage(directory: Path, runs: int = 5) -> Usage:
    """Return the medians of a Python that does nothing."""
    usages = [run_client([[sys.executable, "-c", "pass"]], directory) for _ in range(runs)]
    return Usage(
        median(x.wall for x in usages),
        median(x.cpu for x in usages),
        round(median(x.peak_rss for x in usages)),
    )
