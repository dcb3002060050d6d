"""The registries that are copied between, and the delay before them."""

from __future__ import annotations

import http.client
import mmap
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.images import delay_proxy
from benchmarks.images.image_set import TAG
from benchmarks.measuring.processes import find_process
from benchmarks.measuring.servers import Server
from tests.support.components import docker_registry
from tests.support.images import ImageKind
from tests.support.processes import (
    ServerProcess,
    accepts_connections,
    find_program,
    free_ports,
    running,
)


@dataclass(frozen=True, slots=True)
class Registry(Server):
    """A registry that runs, and its process."""

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
