"""How the mirrors of a group of clusters stand after a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kops_assets_provider.exceptions import MissingAssetsError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.lists.fleet import FleetList, names_of
from kops_assets_provider.mirror.model.asset import name_of
from kops_assets_provider.mirror.report.report import Report, first_of
from kops_assets_provider.mirror.report.task_results import Results, make_report


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """
    What a run did for a group.

    :param whole: the outcome of each asset, once however many clusters have it.
    :param clusters: the report of each cluster that has a list.
    :param failures: each other cluster, and why it could not be listed.
    """

    whole: Report
    clusters: tuple[Report, ...]
    failures: dict[str, str]

    @classmethod
    def of(cls, listed: FleetList, whole: Report) -> FleetReport:
        """Give each cluster the outcomes of its assets."""
        found = {x.asset: x for x in whole.outcomes}
        clusters = tuple(
            Report(
                cluster=x.cluster,
                outcomes=tuple(found[name] for name in names_of(x.assets)),
                dry_run=whole.dry_run,
            )
            for x in listed.lists
        )
        failures = {name: x.message for name, x in listed.failures.items()}
        return cls(whole=whole, clusters=clusters, failures=failures)

    @property
    def unready(self) -> tuple[str, ...]:
        """The clusters whose mirror is not whole, or of which nobody knows what it must have."""
        return (*self.failures, *(x.cluster for x in self.clusters if not x.ready))

    def summary(self) -> str:
        """Return two sentences: of the clusters, and of their assets."""
        if self.whole.dry_run:
            return self.whole.summary()
        total = len(self.clusters) + len(self.failures)
        ready = total - len(self.unready)
        return f"{ready} of {total} clusters are ready. {self.whole.summary()}"

    def to_table(self) -> str:
        """Return the assets' table, and below it a line for each cluster, the bad ones last."""
        lines = [f"ready      {x.cluster}: {len(x.outcomes)} assets" for x in self._ready()]
        lines += [_line(x) for x in self.clusters if not x.ready]
        lines += [f"not listed {name}: {reason}" for name, reason in self.failures.items()]
        return "\n".join((self.whole.to_table(), "", *lines))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: those of ``Report``, and each cluster's beside them."""
        clusters: dict[str, Any] = {
            x.cluster: {"ready": x.ready, "counts": x.counts(), "sent": x.sent}
            for x in self.clusters
        }
        clusters |= {name: {"ready": False, "error": x} for name, x in self.failures.items()}
        whole = {k: v for k, v in self.whole.to_dict().items() if k != "cluster"}
        own = {"group": self.whole.cluster, "ready": not self.unready, "clusters": clusters}
        return {**whole, **own}

    def raise_for_missing(self) -> None:
        """
        Raise MissingAssetsError if a cluster is not ready; the message names the first few.

        In a dry run nothing was to become ready.
        """
        if not self.unready or self.whole.dry_run:
            return
        names = first_of(self.unready)
        raise MissingAssetsError(
            f"{self.whole.cluster}: the mirror is not whole for {names}. Clear what failed, "
            "with its downstream, to try again"
        )

    def _ready(self) -> Iterator[Report]:
        return (x for x in self.clusters if x.ready)


def group_report(listed: FleetList, results: Results) -> Report:
    """Return how the group stands: each asset once."""
    names = {name_of(x): x for x in listed.assets.files}
    once = ClusterAssets(images=listed.assets.images, files=tuple(names.values()))
    return make_report(listed.group, once, results)


def _line(report: Report) -> str:
    total, missing = len(report.outcomes), len(report.missing)
    return f"not ready  {report.cluster}: {missing} of {total} assets are not at the target"
