"""SeaweedFS' S3 server on loopback, and a bucket in it."""

import json
import os
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "bucket"


def _free_ports(count: int) -> list[int]:
    """Return ports that are free, and so are those 10,000 above, which SeaweedFS opens for gRPC."""
    with ExitStack() as stack:
        found = []
        for port in range(20000 + os.getpid() % 20000, 55000):
            try:
                for wanted in (port, port + 10000):
                    stack.enter_context(socket.create_server(("127.0.0.1", wanted)))
            except OSError:
                continue
            found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError("no free ports")


@contextmanager
def bucket(folder: Path):
    """Give a boto3 client for a server with an empty bucket until the block ends."""
    s3, master, filer, volume = ports = _free_ports(4)
    credentials = [{"accessKey": "example", "secretKey": "example"}]
    actions = ["Admin", "Read", "Write", "List"]
    identities = [{"name": "owner", "credentials": credentials, "actions": actions}]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    command = ["weed", f"-logdir={folder}", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command += [f"-dir={folder}/data", "-s3", f"-s3.config={folder}/s3.json", f"-s3.port={s3}"]
    command += [f"-master.port={master}", f"-filer.port={filer}", f"-volume.port={volume}"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=50"]
    command += [f"-s3.localSocket={folder}/s3.sock", f"-filer.localSocket={folder}/filer.sock"]
    command += ["-master.volumeSizeLimitMB=64"]
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{s3}",
        region_name="us-east-1",
        aws_access_key_id="example",
        aws_secret_access_key="example",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )
    log = (folder / "log").open("w")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(client)
        yield client
    finally:
        process.kill()
        process.wait()
        # SeaweedFS leaves these where all temporary files are.
        for port in ports:
            for left in Path("/tmp").glob(f"seaweedfs-*-grpc-{port + 10000}.sock"):
                left.unlink(missing_ok=True)


def _wait(client) -> None:
    for _ in range(90):
        time.sleep(1)
        try:
            if not client.list_buckets()["Buckets"]:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"x")
        except (BotoCoreError, ClientError):
            continue
        client.delete_object(Bucket=BUCKET, Key="ready")
        return
    raise RuntimeError("SeaweedFS did not start")
