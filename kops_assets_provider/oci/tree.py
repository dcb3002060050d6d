"""An image or index with everything below it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidManifestError, Side
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest
from kops_assets_provider.oci.ports import ImageSource

_MAX_MANIFESTS = 1000
_MAX_CONTENTS = 10_000  # manifests and blobs of an image; 15 platforms of 127 layers have 2,000
_MAX_BYTES = 64 << 20  # of all manifests of an image, which are held in memory
_LARGE = 1 << 20  # bytes of manifests; hardly an image has so many
_ONE_LARGE_AT_A_TIME = threading.Lock()  # of all that a plan reads in its threads
_MAX_DEPTH = 3  # an index of indexes of images; nobody has been seen to go deeper


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTree:
    """
    An image or index with all manifests below it, children before parents, the root last.

    :param source_digest: of the root as the source has it; another one than the root's if only
        some of its platforms are copied.
    """

    manifests: tuple[Manifest, ...]
    source_digest: Digest

    @property
    def root(self) -> Manifest:
        """The manifest that the tag stands for."""
        return self.manifests[-1]

    @property
    def blobs(self) -> list[Descriptor]:
        """Each blob once, the largest first, so that no long one is left to the end."""
        distinct = {blob.digest: blob for x in self.manifests for blob in x.blobs}
        return sorted(distinct.values(), key=lambda blob: -blob.size)

    @property
    def is_large(self) -> bool:
        """Whether the manifests of many such images would fill the memory."""
        return sum(len(x.raw) for x in self.manifests) > _LARGE

    @property
    def size(self) -> int:
        """Bytes of all manifests and blobs, each counted once."""
        return sum(len(x.raw) for x in self.manifests) + sum(blob.size for blob in self.blobs)


def read_tree(source: ImageSource, root: Manifest, source_digest: Digest) -> ImageTree:
    """
    Read what is below ``root``: one request for each manifest.

    :param source_digest: of what ``root`` was made of; its own if all of it is copied.
    :raises InvalidManifestError: an index is too deep, too wide or too large to be an image's, or
        describes its children wrongly.
    """
    with ExitStack() as stack:
        return ImageTree(
            manifests=tuple(_Walk(source, root, stack).below(root)), source_digest=source_digest
        )


class _Walk:
    """One reading of a tree; counts what its manifests name."""

    def __init__(self, source: ImageSource, root: Manifest, stack: ExitStack) -> None:
        self._source = source
        self._stack = stack
        self._is_alone = False
        self._bytes = len(root.raw)
        self._children = 0
        self._named: dict[Digest, int] = {}
        self._read: set[Digest] = set()

    def below(self, manifest: Manifest, depth: int = 0) -> Iterator[Manifest]:
        """Yield the manifests below one, each once, and then itself."""
        self._note(manifest, depth)
        for child in manifest.children:
            if child.digest not in self._read:
                self._read.add(child.digest)
                yield from self.below(self._fetch(child), depth + 1)
        yield manifest

    def _note(self, manifest: Manifest, depth: int) -> None:
        """Check what a manifest names before anything of that is read."""
        new = {x.digest: x.size for x in manifest.children if x.digest not in self._named}
        self._bytes += sum(new.values())
        self._children += len(new)
        problem = ""
        if depth >= _MAX_DEPTH or self._children > _MAX_MANIFESTS:
            problem = "an index too deep or too wide to be an image's"
        elif self._bytes > _MAX_BYTES:
            problem = f"the image has more than {_MAX_BYTES >> 20} MiB of manifests"
        # Of a blob that the target has already nothing arrives whose size could be compared.
        for x in (*manifest.children, *manifest.blobs):
            if self._named.setdefault(x.digest, x.size) != x.size:
                problem = f"{x.digest} has two sizes, {self._named[x.digest]} and {x.size} bytes"
        if len(self._named) > _MAX_CONTENTS:
            problem = f"the image has more than {_MAX_CONTENTS} manifests and blobs"
        if problem:
            raise InvalidManifestError(f"{manifest.digest}: {problem}", side=Side.SOURCE)
        if self._bytes > _LARGE and not self._is_alone:
            self._stack.enter_context(_ONE_LARGE_AT_A_TIME)
            self._is_alone = True

    def _fetch(self, child: Descriptor) -> Manifest:
        """Get a child; what its descriptor says of it must be so."""
        found = self._source.fetch_manifest(child.digest)
        named, arrived = (child.size, child.media_type), (len(found.raw), found.media_type)
        if named != arrived:
            said = f"{child.size} bytes of {child.media_type!r:.120}"
            got = f"{len(found.raw)} bytes of {found.media_type!r:.120}"
            message = f"{child.digest}: its index says {said}, the registry sent {got}"
            raise InvalidManifestError(message, side=Side.SOURCE)
        return found
