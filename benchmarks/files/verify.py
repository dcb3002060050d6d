"""Reads back what is at the target, and compares it with what should be there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from benchmarks.files.file_set import SourceFile
from benchmarks.files.servers import BUCKET, Target
from benchmarks.measuring.client import BenchmarkError

_CHUNK = 1024 * 1024


def check_objects(who: str, files: Iterable[SourceFile], target: Target, *, hashes: bool) -> None:
    """
    Compare size and SHA-256 of every object with those of the source's files.

    :param who: has copied them, for the message.
    :param hashes: look at the hash beside each file, too.
    :raises BenchmarkError: one is missing or another.
    """
    wanted = _wanted(files, hashes)
    # What the service says of its checksums is not what is asked here.
    with closing(target.component.client(response_checksum_validation="when_required")) as client:
        found = {key: _content(client, key) for key in wanted}
    wrong = [f"{key} is {found[key]}, not {x}" for key, x in wanted.items() if found[key] != x]
    if wrong:
        raise BenchmarkError(f"wrong after {who}: {'; '.join(wrong)}")


def _wanted(files: Iterable[SourceFile], hashes: bool) -> dict[str, str]:
    """Tell what should be at each key."""
    wanted = {}
    for file in files:
        wanted[file.name] = _told(file.size, file.sha)
        if hashes:
            text = file.sha.encode()
            wanted[f"{file.name}.sha256"] = _told(len(text), hashlib.sha256(text).hexdigest())
    return wanted


def _told(size: int, sha: str) -> str:
    return f"{size} bytes with SHA-256 {sha}"


def _content(client: Any, key: str) -> str:
    """Tell what is at a key."""
    try:
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"]
    except client.exceptions.NoSuchKey:
        return "missing"
    size, hasher = 0, hashlib.sha256()
    with closing(body):
        for chunk in body.iter_chunks(_CHUNK):
            size += len(chunk)
            hasher.update(chunk)
    return _told(size, hasher.hexdigest())
