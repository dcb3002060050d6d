"""
Real servers as child processes: on loopback, on free ports, with their data where they are told.

Each is a context manager that hands out the server once it answers, and leaves no process behind.
All raise ``MissingComponentError`` if the program is not installed, and ``ComponentFailedError``,
with the end of its log, if it does not start.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.component import Component, S3Component
from tests.support.processes import (
    ComponentFailedError,
    MissingComponentError,
    ServerProcess,
    accepts_connections,
    find_program,
    free_ports,
    running,
)
from tests.support.seaweedfs import seaweedfs

__all__ = [
    "Component",
    "ComponentFailedError",
    "MissingComponentError",
    "S3Component",
    "docker_registry",
    "gcs_emulator",
    "moto",
    "nginx",
    "seaweedfs",
]


@contextmanager
def docker_registry(
    directory: Path,
    *,
    port: int | None = None,
    credentials: tuple[str, str] | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    proxied_url: str | None = None,
) -> Iterator[Component]:
    """
    Run Debian's docker-registry, with its content in ``directory/data``.

    :param credentials: user and password that every request then needs (Basic).
    :param certificate: PEM file, with ``key``, to speak TLS.
    :param proxied_url: of the registry to be a pull-through cache for; it must run already.
    """
    program = find_program("docker-registry")
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": str(directory / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "relativeurls": True},
    }
    if certificate:
        config["http"]["tls"] = {"certificate": str(certificate), "key": str(key or certificate)}
    if credentials:
        htpasswd = _write_htpasswd(directory / "htpasswd", *credentials)
        config["auth"] = {"htpasswd": {"realm": "registry", "path": str(htpasswd)}}
    if proxied_url:
        config["proxy"] = {"remoteurl": proxied_url}
    # JSON is YAML.
    (directory / "config.yml").write_text(json.dumps(config))
    log = directory / "registry.log"
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    server = ServerProcess([program, "serve", directory / "config.yml"], log, env=env)
    with running(server, lambda: accepts_connections(port)):
        yield Component(port, log, access_log=log, scheme="https" if certificate else "http")


def _write_htpasswd(path: Path, username: str, password: str) -> Path:
    # By standard input: arguments can be seen by everybody on the machine.
    command: list[str | Path] = [find_program("htpasswd"), "-Bin", username]
    result = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    path.write_bytes(result.stdout)
    return path


@contextmanager
def nginx(
    directory: Path,
    *,
    port: int | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    server_directives: str = "",
) -> Iterator[Component]:
    """
    Serve a directory by nginx, with all that it writes in a temporary one.

    :param certificate: PEM file, with ``key``, to speak TLS.
    :param server_directives: more for the ``server`` block, such as ``limit_rate 1m;``.
    """
    program = find_program("nginx")
    port = port or free_ports(1)[0]
    tls = f"ssl_certificate {certificate}; ssl_certificate_key {key or certificate};"
    with TemporaryDirectory(prefix="nginx-") as temporary:
        work = Path(temporary)
        config = _NGINX_CONFIG.format(
            work=work,
            root=directory.resolve(),
            listen=f"127.0.0.1:{port}{' ssl' if certificate else ''}",
            directives=(tls if certificate else "") + server_directives,
        )
        (work / "nginx.conf").write_text(config)
        command: list[str | Path] = [program, "-p", work, "-c", work / "nginx.conf", "-e", "stderr"]
        server = ServerProcess(command, work / "error.log")
        with running(server, lambda: accepts_connections(port)):
            scheme = "https" if certificate else "http"
            yield Component(port, server.log, access_log=work / "access.log", scheme=scheme)


# A single process, so that it stays the user who started it: nothing here needs root.
_NGINX_CONFIG = """
daemon off; master_process off;
pid {work}/nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{
  log_format combined_and_received '$remote_addr - $remote_user [$time_local] "$request" '
    '$status $body_bytes_sent "$http_referer" "$http_user_agent" $content_length';
  access_log {work}/access.log combined_and_received;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi; uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  types {{ }} default_type application/octet-stream;
  sendfile on; tcp_nopush on;
  server {{ listen {listen}; root {root}; {directives} }}
}}
"""


@contextmanager
def moto(directory: Path, *, port: int | None = None) -> Iterator[S3Component]:
    """Run moto's server: an imitation of AWS' APIs in memory, which accepts any keys."""
    program = find_program("moto_server")
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    log = directory / "moto.log"
    server = ServerProcess([program, "-H", "127.0.0.1", "-p", str(port)], log)
    with running(server, lambda: accepts_connections(port), timeout=60, grace=0):
        yield S3Component(port, log, access_log=log)


@contextmanager
def gcs_emulator(
    directory: Path, *, bucket: str = "demo", port: int | None = None
) -> Iterator[Component]:
    """
    Run gcp-storage-emulator with one bucket, in memory.

    Google's client finds it by the environment variable ``STORAGE_EMULATOR_HOST``: its ``url``.
    """
    program = find_program("gcp-storage-emulator")
    directory.mkdir(parents=True, exist_ok=True)
    port = port or free_ports(1)[0]
    options = ["--host", "127.0.0.1", "--port", str(port), "--default-bucket", bucket]
    log = directory / "gcs.log"
    server = ServerProcess([program, "start", "--in-memory", *options], log)
    with running(server, lambda: accepts_connections(port), grace=0):
        yield Component(port, log)
