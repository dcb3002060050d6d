"""Copy an image: any OCI or Docker image or index of platforms, its bytes and digests unchanged."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidManifestError, NotFoundError, Side, StoppedError
from kops_assets_provider.http.verify import OnChunk, verified
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor, Manifest
from kops_assets_provider.oci.ports import ImageSource, ImageTarget
from kops_assets_provider.oci.reference import Reference

_MAX_MANIFESTS = 1000
_MAX_DEPTH = 3  # an index of indexes of images; nobody has been seen to go deeper


@dataclass(frozen=True, slots=True)
class CopiedImage:
    """
    What became of an image.

    ``copied`` is False if the target had it already. ``size`` counts the bytes of the image, each
    blob and manifest once; it is unknown, None, for one that was not read. ``uploaded`` counts the
    bytes of blobs that had to be sent.
    """

    digest: Digest
    copied: bool
    size: int | None = None
    uploaded: int = 0


@dataclass(frozen=True, slots=True)
class _Tree:
    """An image or index with all manifests below it, children before parents, the root last."""

    manifests: tuple[Manifest, ...]

    @property
    def root(self) -> Manifest:
        return self.manifests[-1]

    @property
    def blobs(self) -> list[Descriptor]:
        """Each blob once, the largest first, so that no long one is left to the end."""
        distinct = {blob.digest: blob for x in self.manifests for blob in x.blobs}
        return sorted(distinct.values(), key=lambda blob: -blob.size)

    @property
    def size(self) -> int:
        return sum(len(x.raw) for x in self.manifests) + sum(blob.size for blob in self.blobs)


def is_present(
    source: ImageSource, source_ref: Reference, target: ImageTarget, target_ref: Reference
) -> Digest | None:
    """
    Return the digest of the image if the target has the one that the source has, else None.

    Two HEAD requests if it is there, one if it is not.

    :raises NotFoundError: the target has an image of that name, the source none.
    """
    there = target.resolve(target_ref.push_as)
    if there is None:
        return None
    wanted = source_ref.digest or source.resolve(source_ref.pull_by)
    if wanted is None:
        raise NotFoundError(f"{source_ref}: there is no such image", side=Side.SOURCE)
    return there if there == wanted else None


def copy_image(
    source: ImageSource,
    source_ref: Reference,
    target: ImageTarget,
    target_ref: Reference,
    *,
    workers: int = 4,
    on_chunk: OnChunk | None = None,
) -> CopiedImage:
    """
    Copy an image unless the target has it.

    :param workers: blobs in flight at a time; each holds a few chunks in memory, never a whole
        blob.
    :param on_chunk: told the bytes of each chunk, from several threads; what it raises ends the
        copy.
    :raises PermanentError: the image does not exist, is not what its digest says, or may not be
        copied.
    :raises TransientError: a server failed; what was copied until then is used by the next try.
    """
    present = is_present(source, source_ref, target, target_ref)
    if present:
        return CopiedImage(present, copied=False)
    tree = _Tree(tuple(_walk(source, source.fetch_manifest(source_ref.pull_by))))
    uploaded = _copy_blobs(source, target, tree.blobs, workers, on_chunk)
    for manifest in tree.manifests[:-1]:
        target.push_manifest(manifest.digest, manifest)
    target.push_manifest(target_ref.push_as, tree.root)
    return CopiedImage(tree.root.digest, copied=True, size=tree.size, uploaded=uploaded)


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


def _copy_blobs(
    source: ImageSource,
    target: ImageTarget,
    blobs: list[Descriptor],
    workers: int,
    on_chunk: OnChunk | None,
) -> int:
    """Copy the blobs, a few at a time, until the first failure; return the bytes sent."""
    stop = threading.Event()

    def watch(size: int) -> None:
        if stop.is_set():
            raise StoppedError("stopped, because another blob of the image failed")
        if on_chunk:
            on_chunk(size)

    def copy(blob: Descriptor) -> int:
        try:
            watch(0)
            return blob.size * target.push_blob(blob, lambda: _open_verified(source, blob, watch))
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(workers, thread_name_prefix="blob") as pool:
        futures = [pool.submit(copy, blob) for blob in blobs]
        try:
            wait(futures)
        except BaseException:
            # The task was stopped: the threads must be, too, or it would wait for them.
            stop.set()
            raise
    failures = [err for x in futures if (err := x.exception())]
    if failures:
        # Those that were stopped by the first failure are not the news.
        raise min(failures, key=lambda err: isinstance(err, StoppedError))
    return sum(x.result() for x in futures)


@contextmanager
def _open_verified(
    source: ImageSource, blob: Descriptor, on_chunk: OnChunk
) -> Iterator[Iterator[bytes]]:
    with source.open_blob(blob) as chunks:
        yield verified(
            chunks,
            what=f"blob {blob.digest}",
            size=blob.size,
            hasher=blob.digest.hasher(),
            expected=blob.digest.hex,
            on_chunk=on_chunk,
        )
