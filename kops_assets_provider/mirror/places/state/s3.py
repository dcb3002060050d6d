"""A state store in S3, or in a server that speaks as S3 does."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.store_paths import check_path
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.places.state.ports import MAX_BYTES, first_pages
from kops_assets_provider.mirror.places.state.s3_errors import s3_told

__all__ = ["S3StateStore", "s3_told"]

_TO_READ = (
    "s3:GetObject, or there is no such object: whoever has not s3:ListBucket for the whole bucket "
    "is told the same"
)


class S3StateStore:
    """
    A ``StateStore``: the objects of a bucket that begin with a prefix.

    :param client: a boto3 client for S3. Nothing is streamed, so its own requests will do.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.place = redact(f"s3://{bucket}/{prefix}".rstrip("/"))

    def read(self, path: str) -> bytes | None:
        """Read an object: one GET."""
        with s3_told(f"{self.place}/{path}", _TO_READ):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
            except self._client.exceptions.NoSuchKey:
                return None
            with closing(found["Body"]) as body:
                data = _read_all(body)
        if len(data) > MAX_BYTES:
            where = redact(f"{self.place}/{path}")
            raise InvalidInputError(where, [f"it is longer than {MAX_BYTES} bytes"])
        return data

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a folder: one GET for each thousand of them."""
        prefix = self._key(folder) + "/" if folder else self._prefix
        names: set[str] = set()
        with s3_told(f"{self.place}/{folder}", f"s3:ListBucket for the prefix {prefix!r}"):
            # With the delimiter S3 tells the folders' names alone, not what is in them.
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in first_pages(pages, self.place):
                names |= {x["Key"] for x in page.get("Contents", ())}
                names |= {x["Prefix"] for x in page.get("CommonPrefixes", ())}
        return sorted(x.removeprefix(prefix) for x in names - {prefix})

    def _key(self, path: str) -> str:
        return self._prefix + check_path(path)


def _read_all(body: Any) -> bytes:
    """Return all of a body, or one byte more than ``MAX_BYTES``."""
    data = b""
    # Until nothing comes: it is then that boto3 compares the checksum and the length.
    while len(data) <= MAX_BYTES and (chunk := body.read(MAX_BYTES + 1 - len(data))):
        data += chunk
    return data
