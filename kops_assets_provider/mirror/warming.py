"""Images that nodes pull through a cache: read through it, so that it has them."""

from __future__ import annotations

import time
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.control import Control
from kops_assets_provider.mirror.image_rules import ImageRules
from kops_assets_provider.mirror.model import State, now
from kops_assets_provider.mirror.outcome import Cost, Facts, Outcome, outcome_of
from kops_assets_provider.mirror.planned_image import PlannedImage
from kops_assets_provider.mirror.record import AssetRecord
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.pull_through import warm_image
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
        return PlannedImage(asset.canonical, asset.download, digest)
    outcome = outcome_of(
        asset,
        State.PRESENT,
        content=digest,
        source=digest,
        verified_at=known.facts.verified_at,
        warmed=known.facts.warmed,
    )
    return outcome.with_cost(requests=source.traffic.requests)


def warm(
    planned: PlannedImage, registries: Registries, rules: ImageRules, control: Control
) -> Outcome:
    """Read an image through its cache; raises what ``warm_image`` raises."""
    began, retries = time.monotonic(), control.retries.fork()
    cache, reference = registries.cache(planned.download)
    tree = warm_image(
        cache,
        reference,
        Digest(planned.digest),
        platforms=rules.platforms,
        workers=control.workers,
        retries=retries,
        abort=partial(registries.abort, Side.TARGET),
        on_chunk=control.on_chunk,
    )
    facts = Facts(
        content=planned.digest,
        source=planned.digest,
        warmed=rules.platforms,
        size=tree.size,
        verified_at=now(),
    )
    seconds = round(time.monotonic() - began, 3)
    cost = Cost(requests=cache.traffic.requests, retries=retries.count, seconds=seconds)
    return Outcome(asset=planned.asset, state=State.WARMED, facts=facts, cost=cost)
