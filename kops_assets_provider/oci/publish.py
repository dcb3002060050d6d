"""
Make an image visible: children before parents, the tag last.

Whoever pulls meanwhile gets the old image or the new one. A registry that says that a blob is not
there, although it was pushed or mounted a moment ago, gets it once more: an interrupted copy or a
mount that was answered too soon may have left it so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kops_assets_provider.exceptions import BlobUnknownError, Side
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.blob_reader import BlobReader
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import Descriptor, Manifest


def publish(job: ImageJob, retries: Retries, watch: Callable[[int], None]) -> None:
    """
    Push a job's manifests; its blobs are at the target.

    :param watch: raises once the copy has been stopped.
    """
    *children, root = job.tree.manifests
    for manifest in children:
        _push(job, manifest.digest, manifest, retries, watch)
    _push(job, job.push_as, root, retries, watch)


def _push(
    job: ImageJob,
    reference: str,
    manifest: Manifest,
    retries: Retries,
    watch: Callable[[int], None],
) -> None:
    watch(0)
    push = partial(job.target.push_manifest, reference, manifest)
    try:
        retries.call(push)
    except BlobUnknownError:
        for blob in manifest.blobs:
            if not retries.call(partial(job.target.has_blob, blob.digest, job.target.name)):
                retries.call(partial(_push_blob, job, blob, retries, watch), retried=Side.SOURCE)
        retries.call(push)


def _push_blob(
    job: ImageJob, blob: Descriptor, retries: Retries, watch: Callable[[int], None]
) -> None:
    job.target.push_blob(blob, BlobReader(job.source, blob, retries, watch).open)
