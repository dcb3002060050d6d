"""What must be copied of a cluster's images, and what that will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.model.asset import Change, State, now
from kops_assets_provider.mirror.model.outcome import Facts, Outcome, not_mirrored, outcome_of
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.places.target_conflicts import image_writes, split_conflicts
from kops_assets_provider.mirror.plan.drift import OnDrift, drifted, image_change
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import PATIENT, Plan, ToCopy, make_plan
from kops_assets_provider.mirror.plan.planned_image import (
    PlannedImage,
    having,
    resolve_hints,
    with_hints,
)
from kops_assets_provider.mirror.plan.pull_through import plan_warming
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import Manifest
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.survey import Survey, survey
from kops_assets_provider.oci.tree import read_tree


def plan_images(
    assets: Sequence[ImageAsset],
    registries: Registries,
    rules: ImageRules = ALL,
    known: Known | None = None,
    *,
    measure_savings: bool = False,
    each_alone: bool = False,
) -> Plan[PlannedImage]:
    """
    Ask the target registry which images it has; see ``make_plan`` for the errors.

    :param known: what is known of the mirror, asked for when it is needed: of pull-through caches,
        which cannot be asked, and of what must be copied, to know how it differs.
    :param measure_savings: read the manifests of platforms that are not copied, too, to know how
        large they are.
    :param each_alone: images with one target fail, instead of all; see ``split_conflicts``.
    :raises ConflictingTargetsError: two sources for one target.
    """
    assets, refused = split_conflicts(
        assets, image_writes(assets, registries.target_url), each_alone=each_alone
    )
    rules.check_caches(x.download for x in assets if x.download != x.canonical)
    registries.expect([x for x in assets if x.download != x.canonical])
    known = known or Known()

    def settle(asset: ImageAsset) -> Outcome | ToCopy[PlannedImage]:
        if asset.download == asset.canonical:
            return not_mirrored(asset)
        found = plan_image(asset, registries, rules, known)
        if isinstance(found, Outcome):
            return found
        saved = _savings(found, registries) if measure_savings and rules.platforms else 0
        return ToCopy(planned=found, ahead=_ahead(found).with_estimate(saved=saved))

    plan = make_plan(
        assets, settle, lambda x: PlannedImage(canonical=x.canonical, download=x.download)
    )
    ahead = {x.asset: x for x in plan.ahead}
    ordered = with_hints(plan.to_copy)
    foreseen = (_with_estimate(ahead[x.asset], x) for x in ordered)
    return Plan(to_copy=tuple(ordered), settled=(*refused, *plan.settled), ahead=tuple(foreseen))


def in_one_process(plan: Plan[PlannedImage]) -> tuple[Outcome, ...]:
    """
    Return what is known ahead of copies in the process of the plan; to be called before they begin.

    They read no manifest again, and what the plan has asked counts among their requests.
    """
    return tuple(map(_in_this_process, plan.ahead, plan.to_copy))


def _in_this_process(ahead: Outcome, planned: PlannedImage) -> Outcome:
    if planned.job is None or ahead.estimate.expected_requests is None:
        return ahead
    job = planned.job
    sides = (x for x in (job.source, job.target) if isinstance(x, RemoteRepository))
    asked = sum(x.traffic.requests for x in sides)
    requests = ahead.estimate.expected_requests - len(job.tree.manifests) + asked
    return ahead.with_estimate(expected_requests=requests)


def plan_image(
    asset: ImageAsset, registries: Registries, rules: ImageRules, known: Known
) -> Outcome | PlannedImage:
    """
    Ask about one image; return what must be copied, or an outcome if nothing must.

    :raises DriftedError: the source's tag has moved, and the rules do not say what is to be done.
    :raises KopsAssetsError: what source or target answered.
    """
    source, source_ref = registries.source(asset.canonical)
    target, target_ref = registries.target(asset.download)
    if rules.is_cache(target_ref):
        return plan_warming(asset, source, source_ref, rules, known.image(asset))
    found = PATIENT.call(
        partial(
            survey,
            *(source, source_ref, target, target_ref),
            platforms=rules.platforms,
            immutable=rules.is_immutable(asset.canonical),
        )
    )
    requests = source.traffic.requests + target.traffic.requests
    if found.present:
        return _present(asset, found).with_cost(requests=requests)
    root = found.root or _fetch_root(source, source_ref, found)
    change = change_of(asset, found, source, target, known, root)
    if change is Change.DRIFTED and rules.on_drift is not OnDrift.TAKE:
        return kept(asset, found, rules, known).with_cost(requests=requests)
    tree = PATIENT.call(partial(read_tree, source, root, found.source or root.digest))
    return _planned(
        asset,
        found,
        ImageJob(source=source, target=target, push_as=target_ref.push_as, tree=tree),
        change,
        known,
    )


def change_of(
    asset: ImageAsset,
    found: Survey,
    source: RemoteRepository,
    target: RemoteRepository,
    known: Known,
    root: Manifest | None = None,
) -> Change:
    """
    Tell how an image that the target does not have differs.

    Where no record tells what is there instead, it is read: it may be of the same image.

    :param root: the manifest or index that the target should have, if it was read.
    """
    wanted = found.source or (root.digest if root else "")
    before = known.image(asset, found.there)
    change = image_change(found.there, wanted, before)
    is_known = before and before.facts.source and before.facts.content == found.there
    if change is Change.DRIFTED and not is_known and found.there:
        whole = root if root and root.digest == wanted else None
        if _is_part(target, found.there, whole or source, wanted):
            return Change.ADDED
    return change


def _is_part(
    target: RemoteRepository, there: str, source: RemoteRepository | Manifest, wanted: str
) -> bool:
    """Tell whether the target has some of the platforms that the source has."""
    try:
        own = PATIENT.call(partial(target.fetch_manifest, there))
        whole = source if isinstance(source, Manifest) else source.fetch_manifest(wanted)
    except KopsAssetsError:
        return False  # whatever it is, it is not known to be harmless
    platforms = {x.digest for x in whole.children}
    parts = {x.digest for x in own.children} or {own.digest}
    return parts <= platforms


def kept(asset: ImageAsset, found: Survey, rules: ImageRules, known: Known) -> Outcome:
    """Return the outcome of a drifted image that stays; raises DriftedError if it must not."""
    there, source = found.there or "", found.source or ""
    before = known.image(asset, there)
    changed_too = before and before.facts.content not in (None, there)
    if rules.on_drift is not OnDrift.KEEP or changed_too:
        raise drifted(asset.canonical, source, there, before)
    facts = {"content": there, "drift": source, "verified_at": now()}
    return replace(outcome_of(asset, State.PRESENT, **facts), change=Change.DRIFTED)


def _fetch_root(source: RemoteRepository, reference: Reference, found: Survey) -> Manifest:
    return PATIENT.call(partial(source.fetch_manifest, found.source or reference.pull_by))


def _planned(
    asset: ImageAsset, found: Survey, job: ImageJob, change: Change, known: Known
) -> PlannedImage:
    has = known.blobs(asset, found.there) if found.there else ()
    job = replace(job, has=having(job.tree.blobs, has))
    return PlannedImage(
        canonical=asset.canonical,
        download=asset.download,
        digest=job.tree.source_digest,
        has=has,
        there=found.there,
        # A plan holds the manifests of all its images: a large image is read again by its copy.
        job=None if job.tree.is_large else job,
        change=change,
    )


def _present(asset: ImageAsset, found: Survey) -> Outcome:
    facts = {"content": found.present, "source": found.source, "verified_at": now()}
    return replace(outcome_of(asset, State.PRESENT, **facts), change=Change.SAME)


def _ahead(planned: PlannedImage) -> Outcome:
    state = State.WRONG if planned.there else State.MISSING
    facts = Facts(content=planned.there, source=planned.digest)
    return Outcome(asset=planned.asset, state=state, change=planned.change, facts=facts)


def _with_estimate(ahead: Outcome, planned: PlannedImage) -> Outcome:
    """Foresee what the copy of an image sends and asks for: docs/architecture.md has the sums."""
    if planned.job is None:
        return ahead
    tree, has = planned.job.tree, planned.job.has
    mounted, _ = resolve_hints(tree.blobs, planned.mounts, ())
    blobs = [x for x in tree.blobs if x.digest not in has]
    sent = [x for x in blobs if x.digest not in mounted]
    requests = 2 * len(tree.manifests) + 3 * len(sent) + len(blobs) - len(sent)
    size = sum(x.size for x in sent)
    estimated = ahead.with_estimate(expected_bytes=size, expected_requests=requests)
    return estimated.with_facts(size=tree.size)


def _savings(planned: PlannedImage, registries: Registries) -> int:
    """Return the bytes of the platforms that are not copied."""
    tree = planned.job.tree if planned.job else None
    if tree is None or tree.root.digest == tree.source_digest:
        return 0
    # Through a repository of its own: it is no part of what a copy costs.
    source, _ = registries.source(planned.canonical)
    root = PATIENT.call(partial(source.fetch_manifest, tree.source_digest))
    whole = PATIENT.call(partial(read_tree, source, root, root.digest))
    return whole.size - tree.size
