"""Redis as a child process: the broker between schedulers and Celery's workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import (
    ServerProcess,
    accepts_connections,
    find_program,
    free_ports,
    running,
)


@contextmanager
def redis(work: Path) -> Iterator[str]:
    """
    Run Redis, which keeps nothing; give its URL.

    :raises MissingComponentError: it is not installed.
    """
    port = free_ports(1)[0]
    options = ("--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(work))
    server = ServerProcess([find_program("redis-server"), *options], work / "redis.log")
    with running(server, lambda: accepts_connections(port), grace=0):
        yield f"redis://127.0.0.1:{port}/0"
