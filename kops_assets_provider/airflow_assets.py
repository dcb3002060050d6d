"""The Airflow assets that this package updates, for the schedules of other DAGs."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias

__all__ = ["ready_asset"]

READY = AssetAlias("kops_assets_ready")


def ready_asset(cluster_name: str) -> Asset:
    """
    Return the Airflow asset that is updated by each run that found the cluster's mirror complete.

    A DAG with ``schedule=[ready_asset("prod.example.com")]`` runs after each such run. The event's
    ``extra`` has the counts of assets by state, and the number of bytes sent.

    :param cluster_name: the cluster's name, for example ``prod.example.com``.
    """
    # For any other scheme Airflow loads the URI handlers of all providers, Google's SDK with them.
    return Asset(name=f"kops_assets_ready/{cluster_name}", uri=f"x-kops-assets://{cluster_name}")
