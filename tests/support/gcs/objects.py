"""Buckets and objects, as a test finds them in the Google Cloud Storage server."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from typing import Any

from tests.support.gcs.errors import JsonError, not_implemented

# Microseconds since 1970 look like this; what matters is that none comes twice.
_GENERATIONS = itertools.count(1_700_000_000_000_000)


@dataclass(frozen=True)
class StoredObject:
    """
    An object with what was said when it was stored; None: nothing was said.

    :param user_project: that was to pay for the request.
    :param component_count: of an object that was composed of others; Google has no MD5 of it.
    """

    bucket: str
    name: str
    data: bytes
    metadata: Mapping[str, str] | None = None
    content_type: str | None = None
    storage_class: str = "STANDARD"
    kms_key: str | None = None
    predefined_acl: str | None = None
    user_project: str | None = None
    component_count: int | None = None
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    generation: int = field(default_factory=lambda: next(_GENERATIONS))

    @cached_property
    def md5(self) -> str:
        """The MD5 of its bytes, in base64."""
        return _base64(hashlib.md5(self.data, usedforsecurity=False).digest())

    @cached_property
    def crc32c(self) -> str:
        """The CRC32C of its bytes, in base64."""
        import google_crc32c

        return _base64(google_crc32c.value(self.data).to_bytes(4, "big"))

    @property
    def is_public(self) -> bool:
        """Whether its ACL lets everybody read it."""
        return self.predefined_acl == "publicRead"

    def hashes(self) -> dict[str, str]:
        """Return what Google keeps of its hashes, by their names in ``X-Goog-Hash``."""
        known = {"crc32c": self.crc32c}
        return known if self.component_count else {**known, "md5": self.md5}

    def description(self) -> dict[str, Any]:
        """Return its description (json_api/v1/objects#resource); numbers are texts there."""
        created = self.created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = {
            "contentType": self.content_type,
            "metadata": self.metadata,
            "md5Hash": self.hashes().get("md5"),
            "componentCount": self.component_count,
            # Google names the version of the key that it took.
            "kmsKeyName": self.kms_key and f"{self.kms_key}/cryptoKeyVersions/1",
        }
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "size": str(len(self.data)),
            "generation": str(self.generation),
            "metageneration": "1",
            "storageClass": self.storage_class,
            "crc32c": self.crc32c,
            "timeCreated": created,
            "updated": created,
            **{name: value for name, value in said.items() if value is not None},
        }

    def headers(self) -> dict[str, str]:
        """Return what a download has besides length, range and ETag."""
        return {
            "Content-Type": self.content_type or "application/octet-stream",
            "Last-Modified": format_datetime(self.created, usegmt=True),
            "X-Goog-Generation": str(self.generation),
            "X-Goog-Metageneration": "1",
            "X-Goog-Storage-Class": self.storage_class,
            "X-Goog-Stored-Content-Encoding": "identity",
            "X-Goog-Stored-Content-Length": str(len(self.data)),
            "X-Goog-Hash": ",".join(f"{name}={value}" for name, value in self.hashes().items()),
        }


@dataclass
class Bucket:
    """A bucket with its objects by name."""

    name: str
    objects: dict[str, StoredObject] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def store(self, stored: StoredObject, check: Callable[[], None]) -> None:
        """Store an object, unless ``check`` raises; meanwhile nobody else stores anything."""
        with self._lock:
            check()
            self.objects[stored.name] = stored

    def snapshot(self) -> dict[str, StoredObject]:
        """Return the objects of this moment."""
        with self._lock:
            return dict(self.objects)

    def check_conditions(self, params: Mapping[str, str], name: str) -> None:
        """Refuse a request whose condition does not hold."""
        stored = self.objects.get(name)
        generation = str(stored.generation if stored else 0)
        if params.get("ifGenerationMatch", generation) != generation:
            message = "At least one of the pre-conditions you specified did not hold."
            raise JsonError(412, "conditionNotMet", message)
        for condition in params:
            if condition.startswith("if") and condition != "ifGenerationMatch":
                raise not_implemented(condition)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
