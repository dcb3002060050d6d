"""An image or index with everything below it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidManifestError, Side
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest
from kops_assets_provider.oci.ports import ImageSource

_MAX_MANIFESTS = 1000
_MAX_DEPTH = 3  # an index of indexes of images; nobody has been seen to go deeper


@dataclass(frozen=True, slots=True)
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
    def size(self) -> int:
        """Bytes of all manifests and blobs, each counted once."""
        return sum(len(x.raw) for x in self.manifests) + sum(blob.size for blob in self.blobs)


def read_tree(source: ImageSource, root: Manifest, source_digest: Digest) -> ImageTree:
    """
    Read what is below ``root``: one request for each manifest.

    :param source_digest: of what ``root`` was made of; its own if all of it is copied.
    :raises InvalidManifestError: it is too deep or too wide to be an image.
    """
    return ImageTree(tuple(_walk(source, root)), source_digest)


def _walk(
    source: ImageSource, manifest: Manifest, depth: int = 0, seen: set[Digest] | None = None
) -> Iterator[Manifest]:
    """Yield the manifests below one, each once, and then itself."""
    seen = set() if seen is None else seen
    if depth >= _MAX_DEPTH or len(seen) > _MAX_MANIFESTS:
        message = f"{manifest.digest}: an index too deep or too wide to be an image's"
        raise InvalidManifestError(message, side=Side.SOURCE)
    for child in manifest.children:
        if child.digest not in seen:
            seen.add(child.digest)
            yield from _walk(source, source.fetch_manifest(child.digest), depth + 1, seen)
    yield manifest
