"""Buckets and objects, as a test finds them in the S3 server."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property

_PUBLIC = {"public-read", "public-read-write"}


@dataclass(frozen=True)
class StoredObject:
    """
    An object with what was said when it was stored, in S3's own words; None: nothing was said.

    :param sha256: the ``x-amz-checksum-sha256`` that was checked, in base64.
    """

    data: bytes
    sha256: str | None = None
    server_side_encryption: str | None = None
    kms_key: str | None = None
    acl: str | None = None
    storage_class: str | None = None
    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    version: str = field(default_factory=lambda: uuid.uuid4().hex)

    @cached_property
    def md5(self) -> str:
        """The MD5 of its bytes, in hex."""
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()

    @property
    def etag(self) -> str:
        """The MD5 in quotes; of what a key of KMS encrypts, something that only looks like it."""
        encrypted = (self.server_side_encryption or "").startswith("aws:kms")
        return f'"{self.version if encrypted else self.md5}"'

    @property
    def is_public(self) -> bool:
        """Whether its ACL lets everybody read it."""
        return self.acl in _PUBLIC

    def encryption_headers(self) -> dict[str, str]:
        """Return how it is encrypted, as the answers to PUT, HEAD and GET tell it."""
        said = {
            "x-amz-server-side-encryption": self.server_side_encryption,
            "x-amz-server-side-encryption-aws-kms-key-id": self.kms_key,
        }
        return {name: value for name, value in said.items() if value}

    def headers(self, *, with_checksum: bool) -> dict[str, str]:
        """Return what the answers to HEAD and GET have besides length, range and ETag."""
        headers = {
            "Content-Type": self.content_type,
            "Last-Modified": format_datetime(self.modified, usegmt=True),
            **self.encryption_headers(),
            **{f"x-amz-meta-{name}": value for name, value in self.metadata.items()},
        }
        if self.storage_class not in {None, "STANDARD"}:
            headers["x-amz-storage-class"] = str(self.storage_class)
        if with_checksum and self.sha256:
            headers["x-amz-checksum-sha256"] = self.sha256
            headers["x-amz-checksum-type"] = "FULL_OBJECT"
        return headers


@dataclass
class Bucket:
    """A bucket with its objects by key."""

    name: str
    owner: str
    objects: dict[str, StoredObject] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def store(self, key: str, stored: StoredObject, check: Callable[[], None]) -> None:
        """Store an object, unless ``check`` raises; meanwhile nobody else stores anything."""
        with self._lock:
            check()
            self.objects[key] = stored

    def snapshot(self) -> dict[str, StoredObject]:
        """Return the objects of this moment."""
        with self._lock:
            return dict(self.objects)
