"""How images stand at their targets. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import DriftedError, Side
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.changes import Change
from kops_assets_provider.mirror.image_plans import change_of, kept
from kops_assets_provider.mirror.image_rules import ALL, ImageRules
from kops_assets_provider.mirror.known import Known
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, name_of, not_mirrored, now
from kops_assets_provider.mirror.plan import PATIENT
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.mirror.warming import plan_warming
from kops_assets_provider.oci.survey import survey

_NOT_WARM = "by the record the cache need not have it: it was not read through it, or long ago"


def check_images(
    assets: Sequence[ImageAsset],
    registries: Registries,
    rules: ImageRules = ALL,
    known: Known | None = None,
) -> Callable[[ImageAsset], Outcome]:
    """
    Get ready to check images, many at a time; return what tells how one stands at the target.

    :param known: what is known of pull-through caches, which cannot be asked.
    """
    rules.check_caches(x.download for x in assets if x.download != x.canonical)
    registries.expect([x for x in assets if x.download != x.canonical])
    return partial(_check_image, registries=registries, rules=rules, known=known or Known())


def _check_image(
    asset: ImageAsset, registries: Registries, rules: ImageRules, known: Known
) -> Outcome:
    names = Kind.IMAGE, asset.canonical, asset.download
    if asset.download == asset.canonical:
        return not_mirrored(*name_of(asset))
    source, target = registries.source(asset.canonical), registries.target(asset.download)
    if rules.is_cache(target[1]):
        warm = plan_warming(asset, *source, rules, known.image(asset))
        error = {"type": "NotWarm", "message": _NOT_WARM, "side": str(Side.TARGET)}
        return warm if isinstance(warm, Outcome) else Outcome(*names, State.MISSING, error=error)
    immutable = rules.is_immutable(asset.canonical)
    found = PATIENT.call(
        partial(survey, *source, *target, platforms=rules.platforms, immutable=immutable)
    )
    outcome = Outcome(
        *names,
        State.MISSING,
        source=found.source,
        requests=source[0].traffic.requests + target[0].traffic.requests,
    )
    if found.present:
        same = replace(outcome, state=State.PRESENT, change=Change.SAME)
        return replace(same, content=found.present, verified_at=now())
    change = change_of(asset, found, source[0], target[0], known, found.root)
    outcome = replace(outcome, change=change)
    if found.there is None:
        return outcome
    if change is Change.DRIFTED:
        with suppress(DriftedError):
            return replace(kept(asset, found, rules, known), requests=outcome.requests)
    reason = f"it is another image than {found.source} at the source"
    error = {"type": "WrongImage", "message": reason, "side": str(Side.TARGET)}
    return replace(outcome, state=State.WRONG, content=found.there, error=error)
