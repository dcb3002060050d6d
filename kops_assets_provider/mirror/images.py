"""Copy a cluster's images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kops_assets_provider.exceptions import DriftedError, NotFoundError, Side
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.http.verify import OnChunk
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.image_plans import plan_image
from kops_assets_provider.mirror.image_rules import ALL, ImageRules
from kops_assets_provider.mirror.known import Known
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, error_dict, failed, now
from kops_assets_provider.mirror.plan import PATIENT
from kops_assets_provider.mirror.planned_image import (
    PlannedImage,
    beginnings,
    having,
    resolve_hints,
)
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.mirror.warming import warm
from kops_assets_provider.oci.batch import IsComing, copy_images
from kops_assets_provider.oci.copy import chosen_platforms
from kops_assets_provider.oci.jobs import ImageJob, ImageResult
from kops_assets_provider.oci.manifest import Manifest
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.tree import read_tree

OnImage = Callable[[Outcome], None]


def copy_planned_images(
    planned: Sequence[PlannedImage],
    registries: Registries,
    rules: ImageRules = ALL,
    *,
    workers: int = 4,
    retries: Retries | None = None,
    on_chunk: OnChunk | None = None,
    on_image: OnImage = lambda _: None,
) -> list[Outcome]:
    """
    Copy images together, each blob once; return an outcome for each.

    :param on_image: told each outcome as soon as it is known, from several threads.
    """
    jobs: list[tuple[PlannedImage, ImageJob]] = []
    outcomes: dict[str, Outcome] = {}
    for image in planned:
        try:
            if rules.is_cache(Reference.parse(image.download)):
                outcomes[image.download] = _warm(
                    *(image, registries, rules), workers=workers, retries=retries, on_chunk=on_chunk
                )
                on_image(outcomes[image.download])
                continue
            jobs.append((image, image.job or _read_job(image, registries, rules)[0]))
        except Exception as err:  # noqa: BLE001  # an image's failure is its own, whatever it is
            outcomes[image.download] = _failed(image, err)
            on_image(outcomes[image.download])
    names = {id(job): image for image, job in jobs}

    def done(job: ImageJob, result: ImageResult) -> None:
        image = names[id(job)]
        outcomes[image.download] = outcome = _outcome(image, job, result)
        on_image(outcome)

    copy_images(
        [job for _, job in jobs],
        workers=workers,
        retries=retries,
        aborts=registries.aborts,
        on_chunk=on_chunk,
        on_done=done,
    )
    return [outcomes[image.download] for image in planned]


def copy_planned_image(
    planned: PlannedImage,
    registries: Registries,
    rules: ImageRules = ALL,
    *,
    retries: Retries | None = None,
    is_coming: IsComing = lambda _: True,
    on_chunk: OnChunk | None = None,
) -> Outcome:
    """
    Copy one image, whose plan another process made.

    Its manifests are read again by the planned digest. If its tag stands for another one by now,
    that is told by the outcome's ``drift``: the next plan will see to it.

    :param is_coming: told a repository of its ``mounts``, whether its leader is being copied.
    :raises KopsAssetsError: what ``copy_image`` raises.
    """
    retries = retries or Retries()
    if rules.is_cache(Reference.parse(planned.download)):
        return _warm(planned, registries, rules, retries=retries, on_chunk=on_chunk)
    found = _plan_late(planned, registries, rules)
    if isinstance(found, Outcome):
        return found
    planned = found
    job, drift = (planned.job, None) if planned.job else _read_job(planned, registries, rules)
    if drift and PATIENT.call(partial(job.target.resolve, job.push_as)) == drift:
        # A later run has copied what the tag stands for now: an old plan must not undo that.
        names = Kind.IMAGE, planned.canonical, planned.download
        return Outcome(*names, State.PRESENT, drift, source=drift, drift=drift, verified_at=now())
    (result,) = copy_images(
        [job],
        retries=retries,
        is_coming=is_coming,
        aborts=registries.aborts,
        on_chunk=on_chunk,
    )
    if result.error is not None:
        raise result.error
    outcome = _outcome(planned, job, result)
    return replace(outcome, drift=drift)


def _warm(
    planned: PlannedImage, registries: Registries, rules: ImageRules, **options: Any
) -> Outcome:
    found = _plan_late(planned, registries, rules)
    if isinstance(found, Outcome):
        return found
    return warm(found, registries, rules, **options)


def _plan_late(
    planned: PlannedImage, registries: Registries, rules: ImageRules
) -> Outcome | PlannedImage:
    """Plan an image now if the plan could not ask its registries."""
    if planned.digest is not None:
        return planned
    asset = ImageAsset(planned.canonical, planned.download)
    try:
        return plan_image(asset, registries, rules, Known())
    except DriftedError as err:
        advice = "its plan could not ask, and no record was read here: clear plan_images with its "
        raise DriftedError(f"{err}; {advice}downstream, to plan again") from err


def _read_job(
    planned: PlannedImage, registries: Registries, rules: ImageRules
) -> tuple[ImageJob, str | None]:
    """Read a planned image's manifests; return what its tag stands for now, if that is another."""
    registries.expect([ImageAsset(planned.canonical, planned.download)], tuple(planned.mounts))
    source, source_ref = registries.source(planned.canonical)
    target, target_ref = registries.target(planned.download)
    root, drift = PATIENT.call(partial(_read_root, source, source_ref, planned.digest))
    trimmed = trim(root, chosen_platforms(target_ref, rules.platforms))
    tree = PATIENT.call(partial(read_tree, source, trimmed, root.digest))
    mounts, wanted = resolve_hints(tree.blobs, planned.mounts, planned.wanted)
    has = having(tree.blobs, planned.has)
    return ImageJob(source, target, target_ref.push_as, tree, mounts, wanted, has), drift


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


def _outcome(planned: PlannedImage, job: ImageJob, result: ImageResult) -> Outcome:
    source, target = job.source, job.target
    traffic = [x.traffic for x in (source, target) if isinstance(x, RemoteRepository)]
    cost: dict[str, Any] = {
        "sent": result.sent,
        "mounted": result.mounted,
        "mounts": result.mounts,
        "late": result.late,
        "retries": result.retries,
        "requests": sum(x.requests for x in traffic),
        "seconds": round(result.seconds, 3),
    }
    if result.error is not None:
        return replace(_failed(planned, result.error), **cost)
    return Outcome(
        *(Kind.IMAGE, planned.canonical, planned.download, State.COPIED, job.tree.root.digest),
        source=job.tree.source_digest,
        size=job.tree.size,
        blobs=beginnings(job.tree.blobs),
        verified_at=now(),
        **cost,
    )


def _failed(planned: PlannedImage, error: Exception) -> Outcome:
    return failed(Kind.IMAGE, planned.canonical, planned.download, error_dict(error))
