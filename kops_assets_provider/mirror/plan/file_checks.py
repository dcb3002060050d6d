"""How files stand at their targets. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from kops_assets_provider.exceptions import Side
from kops_assets_provider.files.verify import FileState, Presence
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.mirror.model.asset import Change, Problem, ProblemKind, State, now
from kops_assets_provider.mirror.model.outcome import Outcome, not_mirrored, outcome_of
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.plan.file_states import FileLooks
from kops_assets_provider.mirror.plan.known_assets import Known


def check_files(
    assets: Sequence[FileAsset],
    stores: FileStores,
    known: Known | None = None,
    *,
    deep: bool = False,
) -> Callable[[FileAsset], Outcome]:
    """
    Get ready to check files, many at a time; return what tells how one stands at the target.

    :param known: as in ``plan_files``.
    :param deep: read every file, whatever its store says of it.
    """
    looks = FileLooks(assets, stores, known or Known(), deep=deep)
    return partial(_check_file, looks=looks)


def _check_file(asset: FileAsset, looks: FileLooks) -> Outcome:
    if asset.download == asset.canonical:
        return not_mirrored(asset)
    with counted() as traffic:
        found = looks.state(asset)
    if found.is_complete:
        return present(asset, found, traffic.requests)
    is_there = found.file is not Presence.ABSENT
    outcome = outcome_of(
        asset, State.WRONG if is_there else State.MISSING, content=found.sha, size=found.size
    )
    return replace(
        outcome.with_cost(requests=traffic.requests),
        change=looks.change(asset, found),
        problem=wrong_file(looks.reason(asset, found)) if is_there else None,
    )


def wrong_file(reason: str) -> Problem:
    """Return the problem of a file that is at the target, but not as it should be."""
    return Problem(kind=ProblemKind.WRONG_FILE, message=reason, side=Side.TARGET)


def present(asset: FileAsset, found: FileState, requests: int) -> Outcome:
    """Return the outcome of a file that is complete at the target."""
    outcome = verified(
        asset,
        State.PRESENT,
        size=found.size,
        version=found.version,
        sidecar_version=found.sidecar_version,
    )
    return replace(outcome.with_cost(requests=requests), change=Change.SAME)


def verified(asset: FileAsset, state: State, **facts: Any) -> Outcome:
    """Return the outcome of a file that is right at the target."""
    return outcome_of(asset, state, content=asset.sha, verified_at=now(), **facts)
