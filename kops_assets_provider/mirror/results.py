"""What the tasks of a run left behind, and the report that it makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.outcome import Kind, Name, Outcome, failed, not_mirrored
from kops_assets_provider.mirror.report import Report

_NO_PLAN = {"type": "NoPlan", "message": "its plan failed; the plan's log says why"}
_NO_RESULT = {
    "type": "NoResult",
    "message": "its copy task ended without a result; the task's log says why",
}


def planned_name(kind: Kind, values: Mapping[str, Any]) -> Name:
    """Return the name of an asset that a plan returned."""
    return kind, values["canonical"], values["download"]


@dataclass(frozen=True)
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
    errors: Mapping[Kind, Mapping[str, Any]] = field(default_factory=dict)
    ahead: Sequence[Outcome] = ()
    logs: Mapping[Name | Kind, str] = field(default_factory=dict)

    def outcome(self, kind: Kind, canonical: str, download: str) -> Outcome:
        """Return what became of one asset."""
        name = kind, canonical, download
        if canonical == download:
            return not_mirrored(*name)
        return self._with_log(with_ahead(self._became(name), self._ahead.get(name)))

    def _with_log(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the log of its copy, or of its plan if that failed."""
        if outcome.name in self.planned:
            return replace(outcome, log=self.logs.get(outcome.name))
        failed_log = self.logs.get(outcome.kind) if outcome.is_bad else None
        return replace(outcome, log=failed_log)

    def _became(self, name: Name) -> Outcome:
        kind = name[0]
        is_planned = name in self.planned
        if found := (self._copied if is_planned else self._settled).get(name):
            return found
        error = None if is_planned else self.errors.get(kind)
        return failed(*name, _shown(error) if error else (_NO_RESULT if is_planned else _NO_PLAN))

    @cached_property
    def _ahead(self) -> Mapping[Name, Outcome]:
        return {x.name: x for x in self.ahead}

    @cached_property
    def _settled(self) -> Mapping[Name, Outcome]:
        return {x.name: x for x in reversed(self.settled)}

    @cached_property
    def _copied(self) -> Mapping[Name, Outcome]:
        return {x.name: x for x in reversed(self.copied)}


def _shown(error: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in error.items() if k in ("type", "message", "side")}


def with_ahead(outcome: Outcome, ahead: Outcome | None) -> Outcome:
    """Return an outcome with what was known ahead of it."""
    if ahead is None:
        return outcome
    return replace(
        outcome,
        change=ahead.change,
        expected_bytes=ahead.expected_bytes,
        expected_requests=ahead.expected_requests,
    )


def make_report(cluster: str, assets: ClusterAssets, results: Results) -> Report:
    """Give every asset of the list its outcome."""
    images = (results.outcome(Kind.IMAGE, x.canonical, x.download) for x in assets.images)
    files = (results.outcome(Kind.FILE, x.canonical, x.download) for x in assets.files)
    return Report(cluster, (*images, *files))
