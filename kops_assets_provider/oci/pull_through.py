"""
Fill a pull-through cache: read an image through it, so that it has it before a node asks.

Such a cache (a proxy project in Harbor, a remote repository in Artifactory, ECR's pull-through
cache, docker-registry with ``proxy``) refuses pushes, and fetches what it lacks from upstream when
it is asked. HEAD proves nothing: it may be passed on without anything being kept. So everything is
read, hashed, and thrown away.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from functools import partial

from kops_assets_provider.exceptions import Side, StoppedError, TransientError
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.blob_reader import BlobReader
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.ports import ImageSource
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.survey import chosen_platforms
from kops_assets_provider.oci.tree import ImageTree, read_tree
from kops_assets_provider.threads import Threads


def warm_image(
    cache: ImageSource,
    reference: Reference,
    wanted: Digest,
    *,
    platforms: Sequence[str] = (),
    workers: int = 4,
    retries: Retries | None = None,
    abort: Callable[[], None] = lambda: None,
    on_chunk: OnChunk | None = None,
) -> ImageTree:
    """
    Read all of an image through ``cache``; return what was read.

    :param wanted: the digest that the image has upstream.
    :param platforms: ``os/architecture[/variant]`` to read; all of them if empty. The index as a
        whole is what nodes get, since a cache cannot be given another.
    :param abort: called if threads wait for the cache when the copy is stopped.
    :raises TransientError: the cache gives another image under that name: it asks upstream again
        when what it has is old enough.
    :raises KopsAssetsError: it gives no such image, or wrong bytes.
    """
    retries = retries or Retries()
    root = retries.call(partial(cache.fetch_manifest, reference.pull_by))
    if root.digest != wanted:
        message = f"{reference}: the cache still has {root.digest}, upstream there is {wanted}"
        raise TransientError(message, side=Side.TARGET)
    trimmed = trim(root, chosen_platforms(reference, platforms))
    tree = retries.call(partial(read_tree, cache, trimmed, root.digest))
    failed = threading.Event()
    read = partial(_read, cache, retries, failed, on_chunk)
    with Threads(workers, "warm", stop=failed.set, aborts=[abort]) as threads:
        futures = [threads.submit(read, blob) for blob in tree.blobs]
        wait(futures)
    if errors := [err for x in futures if (err := x.exception())]:
        # Those that were stopped by the first failure are not the news.
        raise min(errors, key=lambda err: isinstance(err, StoppedError))
    return tree


def _read(
    cache: ImageSource,
    retries: Retries,
    failed: threading.Event,
    on_chunk: OnChunk | None,
    blob: Descriptor,
) -> None:
    def watch(size: int) -> None:
        if failed.is_set() or retries.stop.is_set():
            raise StoppedError("stopped, because another blob of the image failed")
        if on_chunk:
            on_chunk(size)

    try:
        watch(0)
        with BlobReader(cache, blob, retries, watch).open() as chunks:
            for _ in chunks:
                pass
    except BaseException:
        failed.set()
        raise
