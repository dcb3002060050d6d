"""
Copy images together: each blob crosses the wire once, and no image waits for another to finish.

The first image that needs a blob uploads it; the others follow, and mount it from there when it has
arrived (https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-
from-another-repository). An image is published as soon as its own blobs are there: children, index,
tag. If it fails, the next one that needs its blobs takes over.

The work is a queue that a few threads serve: what finishes an image goes first, then what frees
others, then uploads, the largest first, and last the mounts from copies that others are making.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial

from kops_assets_provider.exceptions import PermanentError, Side, StoppedError, TransientError
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.blob_reader import BlobReader
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob, ImageResult
from kops_assets_provider.oci.manifest import Descriptor
from kops_assets_provider.oci.ports import Push
from kops_assets_provider.oci.publish import publish
from kops_assets_provider.oci.work_queue import WorkQueue

IsComing = Callable[[str], bool]

_POLL_SECONDS = 0.25  # first wait for what another copy is uploading; doubled up to 4 seconds


class _Order(IntEnum):
    PUBLISH = 0
    MOUNT = 1
    WANTED = 2
    UPLOAD = 3
    AWAITED = 4


@dataclass(slots=True, kw_only=True)
class _Image:
    job: ImageJob
    left: int
    retries: Retries
    began: float | None = None
    is_complete: bool = False
    result: ImageResult = field(default_factory=ImageResult)


@dataclass(slots=True, kw_only=True)
class _Shared:
    """A blob in one registry: who has it, or uploads it, and who waits for it."""

    leader: _Image | None = None
    repository: str | None = None
    followers: list[tuple[_Image, Descriptor]] = field(default_factory=list)


def always(_: str) -> bool:
    """Wait for the blobs of any repository."""
    return True


def copy_images(
    jobs: Sequence[ImageJob],
    *,
    workers: int = 4,
    retries: Retries | None = None,
    patience_seconds: float = 60.0,
    is_coming: IsComing = always,
    aborts: Sequence[Callable[[], None]] = (),
    on_chunk: OnChunk | None = None,
    on_done: Callable[[ImageJob, ImageResult], None] | None = None,
) -> list[ImageResult]:
    """
    Copy images whose trees have been read; return a result for each. One's failure is its own.

    :param workers: blobs in flight at a time; each holds a few chunks in memory, never a whole
        blob.
    :param patience_seconds: how long to wait for what another process is uploading, since the last
        blob of its repository came.
    :param is_coming: told a repository, whether another process is uploading to it: nothing is
        waited for otherwise.
    :param aborts: called one after another if threads wait for a server when the copy is stopped,
        with a second between: sources first, so that what was begun at the targets is cancelled.
    :param on_chunk: told the bytes of each chunk, from several threads; what it raises ends the
        copy of that image.
    :param on_done: told each result when it is known, from several threads.
    """
    batch = _Batch(jobs, retries or Retries(), patience_seconds, is_coming, on_chunk, on_done)
    return batch.run(workers, aborts)


class _Batch:
    def __init__(
        self,
        jobs: Sequence[ImageJob],
        retries: Retries,
        patience: float,
        is_coming: IsComing,
        on_chunk: OnChunk | None,
        on_done: Callable[[ImageJob, ImageResult], None] | None,
    ) -> None:
        self._images = [
            _Image(job=job, left=len(job.tree.blobs), retries=retries.fork()) for job in jobs
        ]
        self._retries = retries
        self._patience = patience
        self._is_coming = is_coming
        self._on_chunk = on_chunk
        self._on_done = on_done
        self._shared: dict[tuple[Hashable, Digest, int], _Shared] = defaultdict(_Shared)
        self._came: dict[tuple[Hashable, str], float] = {}
        self._queue = WorkQueue(retries.stop)
        self._lock = threading.RLock()

    def run(self, workers: int, aborts: Sequence[Callable[[], None]]) -> list[ImageResult]:
        for image in self._images:
            for blob in image.job.tree.blobs:
                if blob.digest in image.job.has:
                    image.left -= 1
                else:
                    self._need(image, blob)
            if not image.left:
                self._queue.put(_Order.PUBLISH, 0, partial(self._publish, image))
        self._queue.run(workers, aborts)
        for image in self._images:
            if not image.is_complete and image.result.error is None:
                image.result.error = StoppedError("stopped before the image was complete")
                self._tell(image)
        return [image.result for image in self._images]

    # Blobs

    def _need(self, image: _Image, blob: Descriptor) -> None:
        shared = self._shared_of(image, blob)
        with self._lock:
            if shared.leader is None:
                shared.leader = image
                self._put_upload(image, blob)
            else:
                shared.followers.append((image, blob))

    def _put_upload(self, image: _Image, blob: Descriptor) -> None:
        hint = image.job.mounts.get(blob.digest)
        order = _Order.WANTED if blob.digest in image.job.wanted else _Order.UPLOAD
        order = _Order.AWAITED if hint else order
        self._queue.put(order, blob.size, partial(self._copy_blob, image, blob, hint))

    def _put_mount(self, image: _Image, blob: Descriptor, repository: str) -> None:
        self._queue.put(_Order.MOUNT, blob.size, partial(self._copy_blob, image, blob, repository))

    def _copy_blob(self, image: _Image, blob: Descriptor, mount_from: str | None) -> None:
        shared = self._shared_of(image, blob)
        image.began = image.began or time.monotonic()
        try:
            if image.result.error is None:
                self._push(image, blob, mount_from)
        except Exception as err:  # noqa: BLE001  # an image's failure is its own, whatever it is
            self._fail(image, err)
        if image.result.error is not None:
            return
        if not image.job.target.mounts_published:
            self._release(shared, image)
        self._count_down(image)

    def _push(self, image: _Image, blob: Descriptor, mount_from: str | None) -> None:
        job = image.job
        leads = self._shared_of(image, blob).leader is image
        # In this repository already, by another image of the batch.
        if mount_from == job.target.name and not leads:
            return
        comes = partial(self._comes, image, blob, mount_from) if leads and mount_from else None

        def attempt() -> Push:
            reader = BlobReader(job.source, blob, image.retries, partial(self._watch, image))
            return job.target.push_blob(blob, reader.open, mount_from, comes)

        push = image.retries.call(attempt, retried=Side.SOURCE)
        with self._lock:
            image.result.sent += blob.size * (push is Push.SENT)
            image.result.mounted += blob.size * (push is Push.MOUNTED)
            image.result.mounts += push is Push.MOUNTED
            image.result.late += blob.size * (push is Push.SENT and mount_from is not None)

    def _comes(self, image: _Image, blob: Descriptor, repository: str) -> bool:
        """Wait for another process to have uploaded a blob; tell whether it has."""
        # From one that has died nothing comes: its blobs are waited for together, not one by one.
        there = image.job.target.registry, repository
        wait = _POLL_SECONDS
        self._came.setdefault(there, time.monotonic())
        coming = True
        while coming and time.monotonic() < self._came[there] + self._patience:
            # Asked before the last look: what has just ended has left all that it will leave.
            coming = self._asked_is_coming(repository)
            self._retries.stop.wait(wait if coming else 0)
            self._watch(image, 0)
            try:
                if image.job.target.has_blob(blob.digest, repository):
                    self._came[there] = time.monotonic()
                    # Where only a manifest makes it a blob to mount, its image must be published.
                    if not (image.job.target.mounts_published and coming):
                        return True
            except PermanentError:
                return False
            except TransientError:
                pass  # the next look may tell
            wait = min(wait * 2, 4.0)
        return False

    def _asked_is_coming(self, repository: str) -> bool:
        try:
            return self._is_coming(repository)
        except Exception:  # noqa: BLE001  # whoever cannot tell must not fail the copy: it is sent
            return False

    def _watch(self, image: _Image, size: int) -> None:
        if self._retries.stop.is_set():
            raise StoppedError("stopped, because the task was killed")
        if image.result.error is not None:
            raise StoppedError("stopped, because another blob of the image failed")
        if self._on_chunk:
            self._on_chunk(size)

    def _shared_of(self, image: _Image, blob: Descriptor) -> _Shared:
        with self._lock:
            return self._shared[image.job.target.registry, blob.digest, blob.size]

    def _release(self, shared: _Shared, image: _Image) -> None:
        """Let the followers of a blob mount it, now that it is there."""
        with self._lock:
            if shared.leader is not image:
                return
            shared.repository = image.job.target.name
            followers, shared.followers = shared.followers, []
        for follower, blob in followers:
            self._put_mount(follower, blob, shared.repository)

    def _take_over(self, shared: _Shared, image: _Image) -> None:
        """Let the next that needs a blob upload it, since its leader failed."""
        with self._lock:
            if shared.leader is not image or shared.repository is not None:
                return
            shared.leader = None
            while shared.followers and shared.leader is None:
                follower, blob = shared.followers.pop(0)
                # One that has failed meanwhile would never hand over.
                if follower.result.error is None:
                    shared.leader = follower
                    self._put_upload(follower, blob)

    # Images

    def _count_down(self, image: _Image) -> None:
        with self._lock:
            image.left -= 1
            complete = image.left == 0
        if complete:
            self._queue.put(_Order.PUBLISH, 0, partial(self._publish, image))

    def _publish(self, image: _Image) -> None:
        image.began = image.began or time.monotonic()
        try:
            publish(image.job, image.retries, partial(self._watch, image))
        except Exception as err:  # noqa: BLE001  # an image's failure is its own, whatever it is
            self._fail(image, err)
        else:
            image.is_complete = True
            for blob in image.job.tree.blobs if image.job.target.mounts_published else ():
                self._release(self._shared_of(image, blob), image)
            self._tell(image)

    def _fail(self, image: _Image, error: Exception) -> None:
        with self._lock:
            # Those that were stopped by the first failure are not the news.
            first = image.result.error is None
            if first:
                image.result.error = error
        if first:
            for blob in image.job.tree.blobs:
                self._take_over(self._shared_of(image, blob), image)
            self._tell(image)

    def _tell(self, image: _Image) -> None:
        image.result.retries = image.retries.count
        if image.began is not None:
            image.result.seconds = time.monotonic() - image.began
        if self._on_done:
            self._on_done(image.job, image.result)
