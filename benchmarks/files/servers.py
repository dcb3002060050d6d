"""The web server and the S3 service that are copied between."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measuring.processes import find_process
from benchmarks.measuring.servers import Server
from tests.support.component import S3Component
from tests.support.components import nginx, seaweedfs
from tests.support.processes import find_program
from tests.support.tcp_proxy import TcpProxy

BUCKET = "mirror"
# The default of 150 MiB is for tests: with whole files under way its collector would never rest.
_MEMORY_LIMIT = "1GiB"
_END_OF_REQUEST_LINE = b" HTTP/1.1\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """An S3 service that runs and has a bucket, its process, and the URL that clients get."""

    component: S3Component
    pid: int
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """Credentials and endpoint, as cloud SDKs read them."""
        return {
            "AWS_ACCESS_KEY_ID": self.component.access_key,
            "AWS_SECRET_ACCESS_KEY": self.component.secret_key,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def file_server(directory: Path) -> Iterator[Server]:
    """Serve the files of a directory."""
    with nginx(directory) as component:
        yield Server(component, find_process(component.log.parent / "nginx.conf"))


@contextmanager
def fresh_target(parent: Path) -> Iterator[Target]:
    """Run an S3 service with an empty bucket, and remove what was put into it."""
    with tempfile.TemporaryDirectory(dir=parent, prefix="target-") as directory:
        data = Path(directory)
        with seaweedfs(data, memory_limit=_MEMORY_LIMIT) as component:
            with closing(component.client()) as client:
                client.create_bucket(Bucket=BUCKET)
            pid = find_process(f"-dir={data}/volumes")
            yield Target(component, pid, component.url)


class RequestCounter:
    """
    Counts the requests that pass a proxy.

    By their first lines, so only requests without a body, or with a small one, are counted right.
    """

    def __init__(self) -> None:
        self.count = 0

    def watch(self, piece: bytes, from_client: bool) -> None:
        """Look at a piece on its way."""
        if from_client:
            self.count += piece.count(_END_OF_REQUEST_LINE)


@contextmanager
def counted(target: Target) -> Iterator[tuple[Target, RequestCounter]]:
    """Put a proxy before a target that counts requests; SeaweedFS has no access log."""
    counter = RequestCounter()
    with TcpProxy(target.component.port, counter.watch) as proxy:
        yield replace(target, url=f"http://{proxy.host}"), counter


def server_versions() -> str:
    """Return the versions of both servers."""
    web_server = _told("nginx", "-v").removeprefix("nginx version: ")
    return f"{web_server}; SeaweedFS {_told('weed', 'version')}"


def _told(program: str, option: str) -> str:
    command = [str(find_program(program)), option]
    asked = subprocess.run(command, capture_output=True, text=True, check=True)
    # nginx tells it on standard error.
    return (asked.stdout or asked.stderr).splitlines()[0]
