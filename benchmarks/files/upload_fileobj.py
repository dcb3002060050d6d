"""
Copies files to S3 as one would write it with boto3.

``upload_fileobj.py LIST BUCKET JOBS [--skip-present]``: a list with kOps' keys, and how many files
at a time. Each file is streamed from where it is to ``upload_fileobj``, hashed on the way, and its
hash is written beside it. Credentials and endpoint are in the environment.

With ``--skip-present`` a file is left alone if it has the right hash beside it. What is in the file
is not looked at: of an object in parts S3 keeps no SHA-256 of the whole.
"""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import urllib3


class HashingReader:
    """A response's body as a file, which knows the hash of what was read."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Return at most ``size`` bytes, or all that is left."""
        data = self._response.read(None if size < 0 else size)
        self.hash.update(data)
        return data


def client() -> Any:
    """Return a client with the settings of the environment."""
    import boto3
    from botocore.config import Config

    # As it is over https by default. Over plain http, which nobody uses but this benchmark, boto3
    # hashes all bodies once more to sign them.
    return boto3.client("s3", config=Config(s3={"payload_signing_enabled": False}))


def copy(file: dict[str, str], http: urllib3.PoolManager, s3: Any, bucket: str) -> None:
    """Copy a file and write its hash beside it; raises ValueError if it is another file."""
    key = _key(file)
    response = http.request("GET", file["canonical"], preload_content=False)
    try:
        if response.status != 200:
            raise ValueError(f"{file['canonical']} answered {response.status}")
        reader = HashingReader(response)
        s3.upload_fileobj(reader, bucket, key)
    finally:
        response.release_conn()
    if reader.hash.hexdigest() != file["sha"]:
        raise ValueError(f"{file['canonical']} is {reader.hash.hexdigest()}, not {file['sha']}")
    s3.put_object(Bucket=bucket, Key=f"{key}.sha256", Body=file["sha"].encode())


def is_present(file: dict[str, str], s3: Any, bucket: str) -> bool:
    """Tell whether there is a file, with the right hash beside it."""
    from botocore.exceptions import ClientError

    key = _key(file)
    try:
        s3.head_object(Bucket=bucket, Key=key)
        answer = s3.get_object(Bucket=bucket, Key=f"{key}.sha256")
    except ClientError:
        return False
    return bool(answer["Body"].read().decode() == file["sha"])


def _key(file: dict[str, str]) -> str:
    return file["download"].rpartition("/")[2]


def main(arguments: list[str]) -> None:
    """Copy as the arguments say."""
    path, bucket, jobs, *options = arguments
    http, s3 = urllib3.PoolManager(maxsize=int(jobs)), client()
    copy_one = partial(copy, http=http, s3=s3, bucket=bucket)
    with ThreadPoolExecutor(int(jobs)) as pool:
        files: list[dict[str, str]] = json.loads(Path(path).read_text())["files"]
        if "--skip-present" in options:
            present = pool.map(partial(is_present, s3=s3, bucket=bucket), files)
            files = [file for file, there in zip(files, present, strict=True) if not there]
        # A list, because an error is raised when its result is asked for.
        list(pool.map(copy_one, files))


if __name__ == "__main__":
    main(sys.argv[1:])
