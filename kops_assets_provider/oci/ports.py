"""What an image can be copied from and to: one repository each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest

Chunks = AbstractContextManager[Iterator[bytes]]


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

    def open_blob(self, blob: Descriptor) -> Chunks:
        """Open a blob. Whoever reads it hashes it: the bytes are not checked here."""
        ...


class ImageTarget(Protocol):
    """A repository that images are copied to."""

    def resolve(self, reference: str) -> Digest | None:
        """Return the digest that a tag or digest stands for now; None if there is no such image."""
        ...

    def push_blob(self, blob: Descriptor, open_blob: Callable[[], Chunks]) -> bool:
        """
        Make sure that the repository has ``blob``; return whether its bytes had to be sent.

        :param open_blob: opens its bytes; called only when they are needed.
        """
        ...

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """Store a manifest, all of whose blobs and children are there, under a tag or digest."""
        ...
