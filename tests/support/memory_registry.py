"""A registry in dictionaries: for tests, and the shortest definition of the ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kops_assets_provider.exceptions import BlobUnknownError, NotFoundError
from kops_assets_provider.http.traffic import Traffic
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest
from kops_assets_provider.oci.ports import OpenBlob, Push


class MemoryRegistry(dict[str, "MemoryRepository"]):
    """Repositories by their names, made when they are first asked for."""

    def __missing__(self, name: str) -> MemoryRepository:
        self[name] = MemoryRepository(name, self)
        return self[name]

    # One registry is equal to itself alone, whatever is in it.
    __hash__ = object.__hash__  # type: ignore[assignment]  # dict says None
    __eq__ = object.__eq__


class MemoryRepository:
    """An image source and target. ``pushed`` has what was written, in the order of writing."""

    def __init__(self, name: str = "memory", registry: MemoryRegistry | None = None) -> None:
        self.name = name
        self.registry = registry if registry is not None else MemoryRegistry({name: self})
        self.mounts_published = False
        self.blobs: dict[Digest, bytes] = {}
        self.manifests: dict[str, Manifest] = {}
        self.pushed: list[str] = []
        self.traffic = Traffic()  # no request is ever made

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
    def open_blob(self, blob: Descriptor, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob; raises NotFoundError."""
        if blob.digest not in self.blobs:
            raise NotFoundError(f"memory: no blob {blob.digest}")
        yield iter([self.blobs[blob.digest][offset:]])

    def has_blob(self, digest: Digest, repository: str) -> bool:
        """Tell whether a repository has a blob."""
        return digest in self.registry[repository].blobs

    def push_blob(
        self,
        blob: Descriptor,
        open_blob: OpenBlob,
        mount_from: str | None = None,
        comes: Callable[[], bool] | None = None,
    ) -> Push:
        """Store a blob unless it is there, or can be had from another repository."""
        if blob.digest in self.blobs:
            return Push.PRESENT
        if mount_from and (self._mount(blob, mount_from) or (comes and comes())):
            self._mount(blob, mount_from)
            return Push.MOUNTED
        with open_blob(0) as chunks:
            self.blobs[blob.digest] = b"".join(chunks)
        self.pushed.append(blob.digest)
        return Push.SENT

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """Store a manifest; raises BlobUnknownError if what it names is not there yet."""
        missing = [x.digest for x in manifest.blobs if x.digest not in self.blobs]
        missing += [x.digest for x in manifest.children if x.digest not in self.manifests]
        if missing:
            raise BlobUnknownError(f"memory: {reference} names {missing}, which are not there")
        self.manifests[reference] = self.manifests[manifest.digest] = manifest
        self.pushed.append(reference)

    def _mount(self, blob: Descriptor, repository: str) -> bool:
        content = self.registry[repository].blobs.get(blob.digest)
        if content is not None:
            self.blobs[blob.digest] = content
        return content is not None
