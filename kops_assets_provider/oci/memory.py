"""A repository in a dictionary: for tests, and the shortest definition of the ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kops_assets_provider.exceptions import NotFoundError, RequestRejectedError
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest
from kops_assets_provider.oci.ports import Chunks


class MemoryRepository:
    """An image source and target. ``pushed`` has what was written, in the order of writing."""

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.pushed: list[str] = []

    def resolve(self, reference: str) -> Digest | None:
        """Return the digest of the manifest under ``reference``, if any."""
        manifest = self.manifests.get(reference)
        return manifest.digest if manifest else None

    def fetch_manifest(self, reference: str) -> Manifest:
        """Return the manifest under ``reference``; raises NotFoundError."""
        if reference not in self.manifests:
            raise NotFoundError(f"memory: no manifest {reference}")
        return self.manifests[reference]

    @contextmanager
    def open_blob(self, blob: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a blob; raises NotFoundError."""
        if blob.digest not in self.blobs:
            raise NotFoundError(f"memory: no blob {blob.digest}")
        yield iter([self.blobs[blob.digest]])

    def push_blob(self, blob: Descriptor, open_blob: Callable[[], Chunks]) -> bool:
        """Store a blob unless it is there."""
        if blob.digest in self.blobs:
            return False
        with open_blob() as chunks:
            self.blobs[blob.digest] = b"".join(chunks)
        self.pushed.append(blob.digest)
        return True

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """Store a manifest; raises RequestRejectedError if what it names is not there yet."""
        missing = [x.digest for x in manifest.blobs if x.digest not in self.blobs]
        missing += [x.digest for x in manifest.children if x.digest not in self.manifests]
        if missing:
            raise RequestRejectedError(f"memory: {reference} names {missing}, which are not there")
        self.manifests[reference] = self.manifests[manifest.digest] = manifest
        self.pushed.append(reference)
