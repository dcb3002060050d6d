"""Which images have to be read through a pull-through cache."""

from __future__ import annotations

from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.model.outcome import Outcome, outcome_of
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.record.record import AssetRecord
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.survey import source_digest


def plan_warming(
    asset: ImageAsset,
    source: RemoteRepository,
    reference: Reference,
    rules: ImageRules,
    known: AssetRecord | None,
) -> Outcome | PlannedImage:
    """
    Decide by the source's digest and the record: one HEAD, and no request to the cache.

    :param known: what the record knows of it.
    :raises NotFoundError: the source has no such image.
    """
    digest = source_digest(source, reference)
    if known is None or not rules.is_warm(known, digest):
        return PlannedImage(canonical=asset.canonical, download=asset.download, digest=digest)
    outcome = outcome_of(
        asset,
        State.PRESENT,
        content=digest,
        source=digest,
        verified_at=known.facts.verified_at,
        warmed=known.facts.warmed,
    )
    return outcome.with_cost(requests=source.traffic.requests)
