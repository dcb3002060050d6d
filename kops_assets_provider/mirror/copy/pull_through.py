"""Images that nodes pull through a cache: read through it, so that it has them."""

from __future__ import annotations

import time
from functools import partial

from kops_assets_provider.exceptions import Side
from kops_assets_provider.mirror.copy.control import Control
from kops_assets_provider.mirror.model.asset import State, now
from kops_assets_provider.mirror.model.outcome import Cost, Facts, Outcome
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.pull_through import warm_image


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
