"""What a copy task tells OpenLineage, where that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset import Kind

# Each task reads the DAG file first, so what only its work needs is imported where it is done.

log = get_logger(__name__)


def copy_lineage(
    kind: Kind, canonical: str, download: str, file_targets: Mapping[str, str]
) -> Any | None:
    """Return an ``OperatorLineage`` from source to target; None without OpenLineage."""
    try:
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage

        from kops_assets_provider.mirror.places.lineage import dataset

        source, target = dataset(kind, canonical), dataset(kind, download, file_targets)
    except (ImportError, KopsAssetsError) as err:
        log.debug("no lineage: %s", err)
        return None
    return OperatorLineage(
        inputs=[Dataset(namespace=source.namespace, name=source.name)],
        outputs=[Dataset(namespace=target.namespace, name=target.name)],
    )
