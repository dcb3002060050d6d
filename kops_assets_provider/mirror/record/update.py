"""Update the mirror's record by what a run found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Protocol

from kops_assets_provider.mirror.model.asset import Kind, State, now
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.outcome import Facts, Outcome
from kops_assets_provider.mirror.model.times import is_ahead
from kops_assets_provider.mirror.record.changes import changes_after, run_record, runs_after
from kops_assets_provider.mirror.record.lists_and_copies import (
    Locate,
    copies_after,
    list_record,
    lists_after,
)
from kops_assets_provider.mirror.record.record import AssetRecord, MirrorRecord

# They are true of one content: other content has others.
_OF_CONTENT = ("blobs", "version", "sidecar_version")
# They are news of each run: what it does not find is not so any more.
_OF_RUN = ("warmed", "download_state")

_NOTHING = (None, "", ())


class Judged(Protocol):
    """The outcomes of all assets of a cluster after a run, such as a ``Report``."""

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        ...

    @property
    def outcomes(self) -> Sequence[Outcome]:
        """One for each asset of the list."""
        ...


def update_record(
    old: MirrorRecord | None,
    report: Judged,
    kops_version: str,
    run: str,
    *,
    listed: AssetList | None = None,
    locate: Locate | None = None,
) -> MirrorRecord:
    """
    Return the record after a run: what the run found over what was known before.

    :param listed: the list of the run; without it the record keeps the lists that it has.
    :param locate: returns where a file was written; without it nothing is added to ``copied``.
    """
    before = {x.asset: x for x in old.assets} if old else {}
    assets = tuple(_after(before.get(x.asset), x, run) for x in report.outcomes)
    new = MirrorRecord(
        cluster=report.cluster,
        kops_version=kops_version,
        run=run,
        updated_at=now(),
        assets=assets,
    )
    past = old or new
    if listed:
        own = list_record(listed.assets, kops_version, new.updated_at, run)
        past = replace(past, lists=lists_after(past.lists, own), warnings=listed.warnings)
    if locate:
        past = replace(past, copied=copies_after(past.copied, report.outcomes, locate, run))
    return replace(
        new,
        lists=past.lists,
        copied=past.copied,
        warnings=past.warnings,
        notified=past.notified,
        since=_since(old, new),
        runs=runs_after(old, run_record(new, sum(x.cost.sent for x in report.outcomes))),
        changes=changes_after(old, new),
    )


def _since(old: MirrorRecord | None, new: MirrorRecord) -> str:
    if old is None or old.is_whole != new.is_whole:
        return new.updated_at
    return old.since or old.updated_at


def _after(old: AssetRecord | None, outcome: Outcome, run: str) -> AssetRecord:
    known = old or AssetRecord(asset=outcome.asset, state=outcome.state)
    facts = _without_time_ahead(known.facts)
    reason = outcome.problem.message if outcome.problem else None
    if outcome.state is State.FAILED:
        failed = replace(known, state=State.FAILED, facts=facts)
        return replace(failed, reason=reason, failed_log=outcome.log)
    new = replace(
        known,
        state=outcome.state,
        facts=_merged(facts, outcome),
        reason=reason,
        failed_log=None,
    )
    if outcome.state in (State.COPIED, State.WARMED):
        at = outcome.facts.verified_at
        return replace(new, copied_at=at, copied_by=run, copied_log=outcome.log)
    return new


def _without_time_ahead(facts: Facts) -> Facts:
    # It would count as verified once the clock gets there.
    is_wrong = facts.verified_at and is_ahead(facts.verified_at, datetime.now(UTC))
    return replace(facts, verified_at=None) if is_wrong else facts


def _merged(known: Facts, outcome: Outcome) -> Facts:
    """Return the facts that a run found, and those before that still hold."""
    found = replace(outcome.facts, drift=None)
    replaced = {*_OF_RUN}
    if outcome.asset.kind is Kind.FILE:  # it is the same on both sides
        found = replace(found, source=found.source or found.content)
        replaced.add("source")
    if found.content != known.content:
        replaced |= {*_OF_CONTENT}
    new = {x.name: getattr(found, x.name) for x in fields(found)}
    return replace(known, **{k: v for k, v in new.items() if k in replaced or v not in _NOTHING})
