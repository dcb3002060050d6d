"""Wait until a cluster's mirror is whole, and known to be so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator
from kops_assets_provider.options.readers import as_cluster, as_required

__all__ = ["KopsAssetsReadySensor"]

# Each task reads the DAG file first, so what only its work needs is imported where it is done.

_SHOWN = 5


class KopsAssetsReadySensor(FileStoresOperator, BaseSensorOperator):
    """
    Wait until every asset of a cluster was verified within the last hours, by the mirror's record.

    It asks no registry and no bucket about an asset: what it knows is what the last runs found. In
    front of a rolling update it keeps nodes from being replaced while something is missing.

    :param cluster_name: the cluster's name. (templated)
    :param record_url: where the record is: the DAG's own ``record_url``, or ``kops-assets`` below
        the cluster's ``spec.assets.fileRepository``. (templated)
    :param max_age_hours: how long ago an asset may have been verified. (templated)

    The other parameters are those of ``FileStoresOperator`` and Airflow's sensors. It gives its
    slot back between two looks (``mode="reschedule"``), which are five minutes apart.
    """

    template_fields: Sequence[str] = (
        "cluster_name",
        "record_url",
        "max_age_hours",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#e3f1ee"

    def __init__(
        self,
        *,
        cluster_name: str,
        record_url: str,
        max_age_hours: float | str = 26.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"mode": "reschedule", "poke_interval": 300.0, **kwargs})
        self.cluster_name = cluster_name
        self.record_url = record_url
        self.max_age_hours = max_age_hours

    def poke(self, context: Context) -> bool:
        """Look at the record."""
        from kops_assets_provider.mirror.record.store import read_record

        with translate_errors(context):
            cluster = as_cluster("cluster_name", self.cluster_name)
            url = as_required("record_url", self.record_url)
            store, path = self.file_stores().open_place(url, f"{cluster}.json")
            record = read_record(store, path, cluster)
            if record is None:
                self.log.info("%s: no record yet at %s", cluster, url)
                return False
            problems = record.unready(self._within())
        for problem in problems[:_SHOWN]:
            self.log.info("%s", problem)
        self.log.info("%s: %d of %d assets not ready", cluster, len(problems), len(record.assets))
        return not problems

    def _within(self) -> timedelta:
        try:
            hours = float(self.max_age_hours)
        except ValueError:
            hours = 0.0
        if not 0 < hours < 1e6:
            problem = f"expected hours, got {self.max_age_hours!r}"
            raise InvalidInputError("parameter max_age_hours", [problem])
        return timedelta(hours=hours)
