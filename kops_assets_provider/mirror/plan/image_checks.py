"""How images stand at their targets. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import DriftedError, Side
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import Change, Problem, ProblemKind, State, now
from kops_assets_provider.mirror.model.outcome import Outcome, not_mirrored, outcome_of
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.plan.images import change_of, kept
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import PATIENT
from kops_assets_provider.mirror.plan.pull_through import plan_warming
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
    if asset.download == asset.canonical:
        return not_mirrored(asset)
    source, target = registries.source(asset.canonical), registries.target(asset.download)
    missing = outcome_of(asset, State.MISSING)
    if rules.is_cache(target[1]):
        warm = plan_warming(asset, *source, rules, known.image(asset))
        problem = Problem(kind=ProblemKind.NOT_WARM, message=_NOT_WARM, side=Side.TARGET)
        return warm if isinstance(warm, Outcome) else replace(missing, problem=problem)
    immutable = rules.is_immutable(asset.canonical)
    found = PATIENT.call(
        partial(survey, *source, *target, platforms=rules.platforms, immutable=immutable)
    )
    requests = source[0].traffic.requests + target[0].traffic.requests
    outcome = missing.with_facts(source=found.source).with_cost(requests=requests)
    if found.present:
        same = replace(outcome, state=State.PRESENT, change=Change.SAME)
        return same.with_facts(content=found.present, verified_at=now())
    change = change_of(asset, found, source[0], target[0], known, found.root)
    outcome = replace(outcome, change=change)
    if found.there is None:
        return outcome
    if change is Change.DRIFTED:
        with suppress(DriftedError):
            return kept(asset, found, rules, known).with_cost(requests=requests)
    reason = f"it is another image than {found.source} at the source"
    problem = Problem(kind=ProblemKind.WRONG_IMAGE, message=reason, side=Side.TARGET)
    wrong = replace(outcome, state=State.WRONG, problem=problem)
    return wrong.with_facts(content=found.there)
