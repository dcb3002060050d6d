"""
Names of contents.

https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import InvalidManifestError

if TYPE_CHECKING:
    from hashlib import _Hash

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """
    A digest like ``sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b``.

    It is part of URLs, so anything else is refused with InvalidManifestError (CVE-2024-3727), and
    so are ``sha512`` and other algorithms: containerd 1.6 and 1.7 cannot pull such layers.
    """

    __slots__ = ()

    def __new__(cls, text: object) -> Digest:
        if not isinstance(text, str) or not _DIGEST.fullmatch(text):
            message = f"{repr(text)[:100]} is not a digest of the form sha256:<64 hex digits>"
            raise InvalidManifestError(f"{message}; containerd 1.6 and 1.7 can pull no others")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, content: bytes) -> Digest:
        """Return the SHA-256 digest of ``content``."""
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}")

    @property
    def hex(self) -> str:
        """The digest without its algorithm."""
        return self.partition(":")[2]

    def hasher(self) -> _Hash:
        """Return a new hash object."""
        return hashlib.sha256()
