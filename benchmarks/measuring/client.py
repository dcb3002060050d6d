"""Starts a client, waits for it, and knows what it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.measuring import run_commands
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


@dataclass(frozen=True, slots=True)
class Client:
    """
    The commands of a client, of which ``at_a_time`` run side by side.

    ``environment`` is all that they are told besides their arguments.
    """

    commands: Sequence[Sequence[str]]
    at_a_time: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)


def run_client(client: Client, directory: Path) -> Usage:
    """
    Run a client with ``directory`` as its home.

    :raises BenchmarkError: a command failed. The message quotes the end of what was printed.
    """
    log = directory / "client.log"
    output = _run_helper(client, directory, log)
    # Nothing, if there is no such program.
    wall, cpu, peak, status = output.split() or ("0", "0", "0", "nothing")
    if status != "0":
        printed = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise BenchmarkError(
            f"{client.commands[0][0]} ended with {status}. The end of its output:\n{printed}"
        )
    return Usage(float(wall), float(cpu), int(peak) * 1024)


def _run_helper(client: Client, directory: Path, log: Path) -> str:
    helper = [sys.executable, "-I", "-S", run_commands.__file__, str(client.at_a_time)]
    # A session of its own, so that nothing is left of a client that hangs.
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            helper + _joined(client.commands),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**_environment(directory), **client.environment},
            start_new_session=True,
            text=True,
        ) as process,
    ):
        try:
            return process.communicate(timeout=TIMEOUT)[0]
        except subprocess.TimeoutExpired as err:
            name = client.commands[0][0]
            raise BenchmarkError(f"{name} has not ended in {TIMEOUT:g} s") from err
        finally:
            _kill_session(process)


def _joined(commands: Sequence[Sequence[str]]) -> list[str]:
    joined = [x for command in commands for x in (run_commands.SEPARATOR, *command)]
    return joined[1:]


def _kill_session(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _environment(directory: Path) -> dict[str, str]:
    """No credentials, proxies or settings of whoever runs this: an empty home instead."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(directory), "LANG": "C.UTF-8"}


def interpreter_usage(directory: Path, runs: int = 5) -> Usage:
    """Return the medians of a Python that does nothing."""
    nothing = Client([[sys.executable, "-c", "pass"]])
    usages = [run_client(nothing, directory) for _ in range(runs)]
    return Usage(
        median(x.wall for x in usages),
        median(x.cpu for x in usages),
        round(median(x.peak_rss for x in usages)),
    )
