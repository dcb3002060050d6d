"""SeaweedFS as a child process: the S3 service that checks what AWS checks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.component import S3Component
from tests.support.processes import (
    ServerProcess,
    accepts_connections,
    find_program,
    free_ports,
    running,
)


@contextmanager
def seaweedfs(
    directory: Path,
    *,
    access_key: str = "kopsassetstesting",
    secret_key: str = "kops-assets-testing-secret",  # of a server on loopback
    port: int | None = None,
    anonymous_read: bool = False,
    memory_limit: str = "500MiB",
) -> Iterator[S3Component]:
    """
    Run SeaweedFS' S3 service; it checks signatures, checksums and conditions as AWS does.

    The data is in ``directory`` and is there again the next time. The server is killed: what it
    acknowledged is with the kernel by then, and a polite stop takes 15 to 25 s.

    :param anonymous_read: let everybody read objects (not list them), as from a public bucket.
    :param memory_limit: beyond it the garbage collector works harder; it is no hard limit.
    """
    program = find_program("weed")
    for name in ("volumes", "logs"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    # Each of its servers opens a second port, 10,000 higher, for gRPC.
    ports = free_ports(4, offset=10_000)
    ports[0] = port or ports[0]
    _write_identities(directory / "s3.json", access_key, secret_key, anonymous_read)
    log = directory / "weed.log"
    env = {**os.environ, "GOMEMLIMIT": memory_limit}
    server = ServerProcess([program, *_seaweedfs_arguments(directory, ports)], log, env=env)
    component = S3Component(ports[0], log, access_key=access_key, secret_key=secret_key)
    try:
        # It accepts connections seconds before it can store and find anything.
        with running(server, lambda: _stores_objects(component), timeout=60, grace=0):
            yield component
    finally:
        _remove_grpc_sockets(ports)


def _seaweedfs_arguments(directory: Path, ports: Sequence[int]) -> list[str]:
    s3, master, filer, volume = ports
    return [
        f"-logdir={directory}/logs",
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={directory}/volumes",
        "-s3",
        f"-s3.config={directory}/s3.json",
        f"-s3.port={s3}",
        f"-master.port={master}",
        f"-filer.port={filer}",
        f"-volume.port={volume}",
        # Two more services, on fixed ports, that nobody asked for.
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={directory}/s3.sock",
        f"-filer.localSocket={directory}/filer.sock",
        # Every bucket takes seven volumes; they grow as they are filled.
        "-volume.max=200",
        "-master.volumeSizeLimitMB=512",
    ]


def _write_identities(path: Path, access_key: str, secret_key: str, anonymous_read: bool) -> None:
    identities: list[dict[str, Any]] = [
        {
            "name": "owner",
            "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
    if anonymous_read:
        identities.append({"name": "anonymous", "actions": ["Read"]})
    path.touch(mode=0o600)
    path.write_text(json.dumps({"identities": identities}))


def _stores_objects(component: S3Component) -> bool:
    """Tell whether an object can be stored and read; leave nothing behind."""
    if not accepts_connections(component.port):
        return False
    from botocore.exceptions import BotoCoreError, ClientError

    # A bucket that is made after we have given up would stay.
    s3 = component.client(connect_timeout=1, read_timeout=10, retries={"max_attempts": 0})
    place = {"Bucket": "readiness", "Key": "probe"}
    try:
        if not any(b["Name"] == "readiness" for b in s3.list_buckets()["Buckets"]):
            s3.create_bucket(Bucket="readiness")
        s3.put_object(**place, Body=b"ready")
        s3.get_object(**place)["Body"].read()
        s3.delete_object(**place)
        s3.delete_bucket(Bucket="readiness")
    except (BotoCoreError, ClientError):
        return False
    finally:
        s3.close()
    return True


def _remove_grpc_sockets(ports: Sequence[int]) -> None:
    # It puts them into /tmp, whatever it is told, and does not remove them when it is killed.
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port + 10_000}.sock"):  # see above
            path.unlink(missing_ok=True)
