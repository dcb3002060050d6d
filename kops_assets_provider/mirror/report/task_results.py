"""What the tasks of a run left behind, and the report that it makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import Kind, Name, Problem, ProblemKind, name_of
from kops_assets_provider.mirror.model.json_reader import (
    NAME,
    Check,
    fields_of,
    line,
    list_of,
    part,
)
from kops_assets_provider.mirror.model.outcome import MOST_ASSETS, Outcome, failed, not_mirrored
from kops_assets_provider.mirror.model.schema import versioned
from kops_assets_provider.mirror.report.report import Report

_NO_PLAN = Problem(kind=ProblemKind.NO_PLAN, message="its plan failed; the plan's log says why")
_NO_RESULT = Problem(
    kind=ProblemKind.NO_RESULT,
    message="its copy task ended without a result; the task's log says why",
)


def planned_names(kind: Kind) -> Check[tuple[Name, ...]]:
    """Return a check for the list that a plan returned; it gives the assets' names."""
    name = fields_of(Name, kind=part(lambda _: kind), canonical=line(NAME), download=line(NAME))
    return list_of(versioned(name), MOST_ASSETS)


@dataclass(frozen=True, kw_only=True)
class Results:
    """
    What the tasks of a run left behind.

    :param ahead: what the plans knew ahead of the copies.
    :param settled: outcomes of the assets that the plans found to need nothing.
    :param planned: the assets that the plans wanted to be copied.
    :param copied: outcomes of the copies, also of those that failed. One of an asset that was not
        planned is an earlier attempt's, whose task did not run again, and does not count.
    :param errors: those of the plans that failed, by the kind of assets.
    :param logs: where people find the logs of the copies, by the asset, and of the plans, by the
        kind of assets.
    """

    settled: Sequence[Outcome] = ()
    planned: Collection[Name] = ()
    copied: Sequence[Outcome] = ()
    errors: Mapping[Kind, Problem] = field(default_factory=dict)
    ahead: Sequence[Outcome] = ()
    logs: Mapping[Name | Kind, str] = field(default_factory=dict)

    def outcome(self, asset: ImageAsset | FileAsset) -> Outcome:
        """Return what became of one asset."""
        if asset.canonical == asset.download:
            return not_mirrored(asset)
        name = name_of(asset)
        return self._with_log(with_estimate(self._became(name), self._ahead.get(name)))

    def _with_log(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the log of its copy, or of its plan if that failed."""
        if outcome.asset in self.planned:
            return replace(outcome, log=self.logs.get(outcome.asset))
        failed_log = self.logs.get(outcome.kind) if outcome.is_bad else None
        return replace(outcome, log=failed_log)

    def _became(self, name: Name) -> Outcome:
        is_planned = name in self.planned
        if found := (self._copied if is_planned else self._settled).get(name):
            return found
        if is_planned:
            return failed(name, _NO_RESULT)
        return failed(name, self.errors.get(name.kind, _NO_PLAN))

    @cached_property
    def _ahead(self) -> Mapping[Name, Outcome]:
        return {x.asset: x for x in self.ahead}

    @cached_property
    def _settled(self) -> Mapping[Name, Outcome]:
        return {x.asset: x for x in reversed(self.settled)}

    @cached_property
    def _copied(self) -> Mapping[Name, Outcome]:
        return {x.asset: x for x in reversed(self.copied)}


def with_estimate(outcome: Outcome, ahead: Outcome | None) -> Outcome:
    """
    Return an outcome with its plan's estimate, and how source and target differed before.

    :param ahead: what the plan knew; None if it knew nothing.
    """
    if ahead is None:
        return outcome
    # What is left out of a copy is news of the plan alone.
    estimate = replace(ahead.estimate, saved=outcome.estimate.saved)
    return replace(outcome, change=ahead.change, estimate=estimate)


def make_report(cluster: str, assets: ClusterAssets, results: Results) -> Report:
    """Give every asset of the list its outcome."""
    images = tuple(map(results.outcome, assets.images))
    return Report(cluster=cluster, outcomes=(*images, *map(results.outcome, assets.files)))
