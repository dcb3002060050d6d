"""What an image can be copied from and to: one repository each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest

Chunks = AbstractContextManager[Iterator[bytes]]
OpenBlob = Callable[[int], Chunks]
"""Opens a blob's bytes, from an offset on."""


class Push(StrEnum):
    """How a blob came to be in a repository."""

    PRESENT = "present"
    MOUNTED = "mounted"
    SENT = "sent"


class ImageSource(Protocol):
    """A repository that images are copied from."""

    def resolve(self, reference: str) -> Digest | None:
        """Return the digest that a tag or digest stands for now; None if there is no such image."""
        ...

    def fetch_manifest(self, reference: str) -> Manifest:
        """
        Return the manifest or index under a tag or digest, its bytes hashed.

        :raises NotFoundError: there is none.
        :raises ChecksumMismatchError: its bytes are not those of the digest that was asked for.
        """
        ...

    def open_blob(self, blob: Descriptor, offset: int = 0) -> Chunks:
        """
        Open a blob, from ``offset`` on. Whoever reads it hashes it: nothing is checked here.

        :raises ConnectionFailedError: the bytes cannot be had from there on, but from the start.
        """
        ...


class ImageTarget(Protocol):
    """A repository that images are copied to."""

    @property
    def registry(self) -> Hashable:
        """Equal for repositories of one registry reached as one user: those may share blobs."""
        ...

    @property
    def name(self) -> str:
        """The repository's path in its registry."""
        ...

    @property
    def mounts_published(self) -> bool:
        """Whether it mounts a blob only once a manifest in the blob's repository names it."""
        ...

    def resolve(self, reference: str) -> Digest | None:
        """Return the digest that a tag or digest stands for now; None if there is no such image."""
        ...

    def has_blob(self, digest: Digest, repository: str) -> bool:
        """Tell whether a repository of the same registry has a blob."""
        ...

    def push_blob(
        self,
        blob: Descriptor,
        open_blob: OpenBlob,
        mount_from: str | None = None,
        comes: Callable[[], bool] | None = None,
    ) -> Push:
        """
        Make sure that the repository has ``blob``; return how it came there.

        :param open_blob: opens its bytes; called only when they are needed.
        :param mount_from: a repository of the same registry that may have it.
        :param comes: asked if that repository does not have it yet; waits, and tells whether to try
            again. Without it, or if it says no, the bytes are sent.
        """
        ...

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """
        Store a manifest, all of whose blobs and children are there, under a tag or digest.

        :raises BlobUnknownError: the repository says that something it names is not there.
        """
        ...
