"""What the clusters of a group download."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.get_assets import HASH_SOURCES_KEY, KopsGetAssetsOperator
from kops_assets_provider.options.list_options import SOURCES
from kops_assets_provider.options.table import LIST_OPTIONS

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.fleet import FleetList
    from kops_assets_provider.mirror.lists.request import ListRequest
    from kops_assets_provider.mirror.model.asset_list import AssetList

__all__ = ["KopsGetFleetAssetsOperator"]


class KopsGetFleetAssetsOperator(KopsGetAssetsOperator):
    """
    Get the asset lists of a group of clusters, in one task: most of what they have they share.

    Returns each asset once, and which ones each cluster has. A cluster that cannot be listed is
    left out, and its report says why; it takes an error that may pass, or none that can be listed,
    to fail the task.

    :param group: the group's name.
    :param clusters: each cluster's name, and which of the parameters of ``KopsGetAssetsOperator``
        are other ones for it than for the rest. (templated)

    The other parameters are those of ``KopsGetAssetsOperator``, for all clusters alike, except
    ``cluster_name``, ``kops_command`` and ``output_url``.
    """

    template_fields: Sequence[str] = ("clusters", *KopsGetAssetsOperator.template_fields)

    def __init__(
        self, *, group: str, clusters: Mapping[str, Mapping[str, Any]], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.group = group
        self.clusters = clusters

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the lists."""
        with translate_errors(context):
            ti: Any = context["ti"]
            found = self.make_fleet_list(patient=ti.try_number <= ti.max_tries)
        union = found.assets
        counts = len(found.lists), len(union.images), len(union.files)
        self.log.info("%d clusters: %d images and %d files, each counted once", *counts)
        for cluster, problem in found.failures.items():
            self.log.error("%s cannot be listed: %s", cluster, problem.message)
        for warning in _warnings(found.lists):
            self.log.warning("%s", warning)
        sources = {k: v for x in found.lists for k, v in x.shown_hash_sources().items()}
        context["ti"].xcom_push(key=HASH_SOURCES_KEY, value=sources)
        return found.to_dict()

    def make_fleet_list(self, *, patient: bool) -> FleetList:
        """Read the parameters, and get the lists."""
        from kops_assets_provider.mirror.lists.fleet_lists import make_fleet_list

        requests = self.requests()
        return make_fleet_list(self.group, requests, self.state_stores(), patient=patient)

    def requests(self) -> dict[str, ListRequest]:
        """Return what to list of each cluster; raises InvalidInputError."""
        own = [x for x in LIST_OPTIONS if not x.in_fleet_file]
        refused = [f"{x.name}: not for a group" for x in own if x.read(getattr(self, x.name))]
        if refused:
            raise InvalidInputError(f"group {self.group}", refused)
        return {
            name: self.request(**{"cluster_name": name, **_before_the_groups(own)})
            for name, own in self.clusters.items()
        }


def _before_the_groups(own: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave the group's sources out for a cluster that has one of its own."""
    sources = dict.fromkeys(x.name for x in SOURCES)
    return {**sources, **own} if own.keys() & sources.keys() else own


def _warnings(lists: Iterable[AssetList]) -> Iterable[str]:
    """Return each warning once, with the clusters that have it."""
    clusters = defaultdict(list)
    for listed in lists:
        for caveat in listed.warnings:
            clusters[f"{caveat.code}: {caveat.message}"].append(listed.cluster)
    for text, names in clusters.items():
        more = f" and {len(names) - 3} more clusters" if len(names) > 3 else ""
        yield f"{', '.join(names[:3])}{more}: {text}"
