"""Copy a cluster's images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from kops_assets_provider.exceptions import DriftedError, NotFoundError, Side
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.copy.control import Control, CopyResult, OnResult
from kops_assets_provider.mirror.copy.pull_through import warm
from kops_assets_provider.mirror.model.asset import Name, Problem, State, now
from kops_assets_provider.mirror.model.outcome import Cost, Facts, Outcome, failed
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.plan.images import plan_image
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import PATIENT
from kops_assets_provider.mirror.plan.planned_image import (
    PlannedImage,
    beginnings,
    having,
    resolve_hints,
)
from kops_assets_provider.oci.copy import copy_images as copy_blobs_and_manifests
from kops_assets_provider.oci.jobs import ImageJob, ImageResult
from kops_assets_provider.oci.manifest import Manifest
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.survey import chosen_platforms
from kops_assets_provider.oci.tree import read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCopy:
    """
    An image to copy, and where from and to.

    :param image: its plan. A digest without manifests was planned by another process: they are read
        again. Without a digest the plan could not ask the registries, so the image is planned now.
    :param known: what the record of the mirror knows; used if the image is planned now.
    """

    image: PlannedImage
    registries: Registries
    rules: ImageRules = ALL
    known: Known = field(default_factory=Known)

    @property
    def asset(self) -> Name:
        """Kind, canonical and download."""
        return self.image.asset


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An image whose manifests were read. ``drift`` is the digest that its tag has moved to."""

    copy: ImageCopy
    job: ImageJob
    drift: str | None = None


def copy_image(job: ImageCopy, control: Control) -> CopyResult:
    """Copy one image unless the target has it."""
    (result,) = copy_images([job], control)
    return result


def copy_images(
    jobs: Sequence[ImageCopy], control: Control, on_result: OnResult = lambda _: None
) -> list[CopyResult]:
    """
    Copy images together, each blob once; return a result for each. One's failure is its own.

    :param on_result: called with each result as soon as it is known, from several threads.
    """
    results: dict[Name, CopyResult] = {}

    def settle(job: ImageCopy, result: CopyResult) -> None:
        results[job.asset] = result
        on_result(result)

    # A plan does not keep large manifests, which would fill the memory together. They are read
    # again for one image after the other.
    large = [x for x in jobs if x.image.digest and not x.image.job] if len(jobs) > 1 else []
    ready: dict[int, _Ready] = {}
    for job in jobs:
        if job in large:
            continue
        found = _prepare(job, control)
        if isinstance(found, CopyResult):
            settle(job, found)
        else:
            ready[id(found.job)] = found

    def done(job: ImageJob, result: ImageResult) -> None:
        image = ready[id(job)]
        settle(image.copy, _copied(image, result))

    copy_blobs_and_manifests(
        [x.job for x in ready.values()],
        workers=control.workers,
        retries=control.retries,
        is_coming=control.is_coming,
        aborts=[abort for job in jobs[:1] for abort in job.registries.aborts],
        on_chunk=control.on_chunk,
        on_done=done,
    )
    for job in large:
        settle(job, copy_image(job, control))
    return [results[job.asset] for job in jobs]


def _prepare(job: ImageCopy, control: Control) -> CopyResult | _Ready:
    """Read an image's manifests, unless its plan did, or settle it if no blob must be copied."""
    began = time.monotonic()
    try:
        if job.image.job is not None:
            return _Ready(copy=job, job=job.image.job)
        found = _settle(job, control)
    except Exception as err:  # noqa: BLE001  # one image's failure is its own, whatever it is
        seconds = round(time.monotonic() - began, 3)
        outcome = failed(job.asset, Problem.of(err)).with_cost(seconds=seconds)
        return CopyResult(outcome=outcome, error=err)
    return CopyResult(outcome=found) if isinstance(found, Outcome) else found


def _settle(job: ImageCopy, control: Control) -> Outcome | _Ready:
    is_cache = job.rules.is_cache(Reference.parse(job.image.download))
    found = job.image if job.image.digest is not None else _plan_now(job)
    if isinstance(found, Outcome):
        return found
    planned = replace(job, image=found)
    if is_cache:
        return warm(found, job.registries, job.rules, control)
    if found.job is not None:
        return _Ready(copy=planned, job=found.job)
    ready = _read_again(planned)
    return _copied_since(ready) or ready


def _copied_since(ready: _Ready) -> Outcome | None:
    """Return an outcome if a later run has copied the image that the tag names now."""
    job, drift = ready.job, ready.drift
    # An old plan must not undo that.
    if drift is None or PATIENT.call(partial(job.target.resolve, job.push_as)) != drift:
        return None
    facts = Facts(content=drift, source=drift, drift=drift, verified_at=now())
    return Outcome(asset=ready.copy.asset, state=State.PRESENT, facts=facts)


def _plan_now(job: ImageCopy) -> Outcome | PlannedImage:
    asset = ImageAsset(canonical=job.image.canonical, download=job.image.download)
    try:
        return plan_image(asset, job.registries, job.rules, job.known)
    except DriftedError as err:
        advice = "its plan could not ask the registries: in Airflow clear plan_images with its "
        raise DriftedError(f"{err}; {advice}downstream, to plan again") from err


def _read_again(job: ImageCopy) -> _Ready:
    """Read a planned image's manifests again, in a task of its own."""
    planned, registries = job.image, job.registries
    registries.expect(
        [ImageAsset(canonical=planned.canonical, download=planned.download)], tuple(planned.mounts)
    )
    source, source_ref = registries.source(planned.canonical)
    target, target_ref = registries.target(planned.download)
    root, drift = PATIENT.call(partial(_read_root, source, source_ref, planned.digest))
    trimmed = trim(root, chosen_platforms(target_ref, job.rules.platforms))
    tree = PATIENT.call(partial(read_tree, source, trimmed, root.digest))
    mounts, wanted = resolve_hints(tree.blobs, planned.mounts, planned.wanted)
    has = having(tree.blobs, planned.has)
    return _Ready(
        copy=job,
        job=ImageJob(
            source=source,
            target=target,
            push_as=target_ref.push_as,
            tree=tree,
            mounts=mounts,
            wanted=wanted,
            has=has,
        ),
        drift=drift,
    )


def _read_root(
    source: RemoteRepository, reference: Reference, digest: str | None
) -> tuple[Manifest, str | None]:
    # By its tag, so that one request tells as well whether the tag has moved.
    try:
        root = source.fetch_manifest(reference.pull_by)
    except NotFoundError:
        if digest is None:
            raise
        return source.fetch_manifest(digest), None
    if digest is None or root.digest == digest:
        return root, None
    try:
        return source.fetch_manifest(digest), root.digest
    except NotFoundError as err:
        message = f"{reference} has moved to {root.digest}, and what was planned is gone"
        advice = "plan again: in Airflow clear plan_images with its downstream"
        raise NotFoundError(f"{message}: {digest}; {advice}", side=Side.SOURCE) from err


def _copied(image: _Ready, result: ImageResult) -> CopyResult:
    job, asset = image.job, image.copy.asset
    sides = [x for x in (job.source, job.target) if isinstance(x, RemoteRepository)]
    cost = Cost(
        sent=result.sent,
        mounted=result.mounted,
        mounts=result.mounts,
        late=result.late,
        retries=result.retries,
        requests=sum(x.traffic.requests for x in sides),
        seconds=round(result.seconds, 3),
    )
    if result.error is not None:
        outcome = replace(failed(asset, Problem.of(result.error)), cost=cost)
        return CopyResult(outcome=outcome, error=result.error)
    facts = Facts(
        content=job.tree.root.digest,
        source=job.tree.source_digest,
        size=job.tree.size,
        blobs=beginnings(job.tree.blobs),
        verified_at=now(),
        drift=image.drift,
    )
    return CopyResult(outcome=Outcome(asset=asset, state=State.COPIED, facts=facts, cost=cost))
