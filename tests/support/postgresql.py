"""PostgreSQL as a child process, for what SQLite cannot do: many writers on one database."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import (
    MissingComponentError,
    ServerProcess,
    free_ports,
    running,
)

_DEBIAN = Path("/usr/lib/postgresql")


@contextmanager
def postgresql(database: str) -> Iterator[str]:
    """
    Run PostgreSQL with one empty database; give its address, ``postgres@127.0.0.1:PORT/NAME``.

    Everybody on this machine may do everything there. Nothing is kept.

    :raises MissingComponentError: it is not installed.
    """
    port = free_ports(1)[0]
    # Not below a directory that is closed to others: the server refuses to run as root.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as temporary:
        work = Path(temporary)
        if os.geteuid() == 0:
            shutil.chown(work, "postgres")
        _run("initdb", "-D", work / "data", "-U", "postgres", "-A", "trust")
        options = ("-p", str(port), "-c", "listen_addresses=127.0.0.1", "-k", work, "-F")
        command = _command("postgres", "-D", work / "data", *options)
        server = ServerProcess(command, work / "postgres.log")
        with running(server, lambda: _answers(port), grace=0):
            _run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", database)
            yield f"postgres@127.0.0.1:{port}/{database}"


def _answers(port: int) -> bool:
    asked = subprocess.run(_command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)))
    return asked.returncode == 0


def _run(program: str, *arguments: str | Path) -> None:
    subprocess.run(_command(program, *arguments), check=True, stdout=subprocess.DEVNULL)


def _command(program: str, *arguments: str | Path) -> list[str | Path]:
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    return [*as_user, _find(program), *arguments]


def _find(program: str) -> Path:
    """Return a program of the newest version; Debian keeps them out of the PATH."""
    if found := shutil.which(program):
        return Path(found)
    installed = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda x: int(x.parts[-3]))
    if not installed:
        raise MissingComponentError("postgres", "apt-get install postgresql")
    return installed[-1]
