"""The registries that are copied between, where their data lies, and the delay before them."""

from __future__ import annotations

import http.client
import mmap
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from image_copies import delay_proxy
from image_copies.image_set import TAG
from image_copies.processes import find_process
from kops_assets_provider.testing.component import Component
from kops_assets_provider.testing.components import docker_registry
from kops_assets_provider.testing.images import ImageKind
from kops_assets_provider.testing.messages import RecordedRequest
from kops_assets_provider.testing.processes import (
    ServerProcess,
    accepts_connections,
    find_program,
    free_ports,
    running,
)

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the one place that is memory on every Linux
_SPARE_BYTES = 1_000_000_000
_LOG_SETTLES = 0.1


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that runs, and its process."""

    component: Component
    pid: int

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return self.component.host

    def request_count(self) -> int:
        """Return how many requests there were so far."""
        return len(self.component.requests())

    def requests_since(self, count: int) -> list[RecordedRequest]:
        """Return the requests after the first ``count``, once no more of them are logged."""
        before, now = -1, self.request_count()
        while before != now:
            time.sleep(_LOG_SETTLES)
            before, now = now, self.request_count()
        return self.component.requests()[count:]

    def digest(self, repository: str) -> str | None:
        """Return the digest that the tag has there, if there is one."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        accepted = {"Accept": ImageKind.OCI_INDEX.media_types["index"]}
        try:
            connection.request("HEAD", f"/v2/{repository}/manifests/{TAG}", headers=accepted)
            answer = connection.getresponse()
            return answer.headers["Docker-Content-Digest"] if answer.status == 200 else None
        finally:
            connection.close()


@contextmanager
def registry(directory: Path) -> Iterator[Registry]:
    """Run a docker-registry with what is in ``directory/data``."""
    with docker_registry(directory) as component:
        yield Registry(component, find_process(directory / "config.yml"))


@contextmanager
def fresh_registry(parent: Path) -> Iterator[Registry]:
    """Run an empty registry, and remove what was put into it."""
    with (
        tempfile.TemporaryDirectory(dir=parent, prefix="target-") as directory,
        registry(Path(directory)) as server,
    ):
        yield server


@contextmanager
def delayed(registries: tuple[Registry, ...], delay: float) -> Iterator[tuple[list[str], int]]:
    """Put a delay (seconds, each way) before registries; yield its hosts and its process id."""
    ports = free_ports(len(registries))
    pairs = zip(ports, registries, strict=True)
    routes = [f"{port}:{server.component.port}" for port, server in pairs]
    with tempfile.TemporaryDirectory(prefix="delay-") as directory:
        # By its path: a module would need this process's search path.
        command = [sys.executable, delay_proxy.__file__, str(delay), *routes]
        proxy = ServerProcess(command, Path(directory) / "proxy.log")
        with running(proxy, lambda: all(map(accepts_connections, ports)), grace=0):
            yield [f"127.0.0.1:{port}" for port in ports], proxy.session


@contextmanager
def work_directory(size: int) -> Iterator[Path]:
    """Make a directory for ``size`` bytes: in memory if there is room, else where TMPDIR says."""
    place = _IN_MEMORY if _room_in_memory() > size + _SPARE_BYTES else None
    with tempfile.TemporaryDirectory(dir=place, prefix="image-copies-") as directory:
        yield Path(directory)


def _room_in_memory() -> int:
    if not _IN_MEMORY.is_dir():
        return 0
    found = os.statvfs(_IN_MEMORY)
    # A tmpfs promises more than there may be.
    available = re.search(
        r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE
    )
    return min(found.f_bavail * found.f_frsize, int(available[1]) * 1024 if available else 0)


def registry_version() -> str:
    """Return the registry's version and the Go that it was built with: both decide its speed."""
    program = find_program("docker-registry")
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"{told.stdout.strip()}, {_go_version(program)}"


def _go_version(program: Path) -> str:
    with (
        program.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        found = re.search(rb"\xff Go buildinf:.{16,20}?(go1[.\d]+)", content, re.DOTALL)
        return found[1].decode() if found else "an unknown Go"
