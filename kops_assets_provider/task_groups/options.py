"""What the makers of DAGs and task groups take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from kops_assets_provider.operators.readiness import Notify

__all__ = ["CopyAssetsOptions"]


class CopyAssetsOptions(TypedDict, total=False):
    """
    What to mirror, from where, to where: docs/options.md describes each option.

    All values but ``on_readiness_change`` and ``copy_pool`` may be templates.
    """

    cluster_spec: str | None
    state_store: str | None
    cluster_name: str | None
    asset_list: str | None
    kops_version: Sequence[str] | str | None
    kubernetes_version: Sequence[str] | str | None
    kops_command: str | None
    nearest_release: bool | str
    any_kubernetes_version: bool | str
    extended: bool | str
    extra_images: Sequence[str] | str | None
    extra_files: Mapping[str, str | None] | Sequence[str] | str | None
    sha_file: str | None
    registry_conn_ids: Mapping[str, str] | str | None
    source_rewrites: Mapping[str, str] | str | None
    platforms: Sequence[str] | str | None
    warm: Sequence[str] | str | None
    warm_days: float | str | None
    ecr_repositories: Mapping[str, Any] | str | None
    immutable_tags: Sequence[str] | str | None
    file_targets: Mapping[str, str] | str | None
    bucket_owner: str | None
    s3_options: Mapping[str, Any] | str | None
    gcs_options: Mapping[str, Any] | str | None
    deep: bool | str
    on_drift: str | None
    dry_run: bool | str
    check_downloads: bool | str
    on_readiness_change: Sequence[Notify]
    copy_pool: str
    output_url: str | None
    record_url: str | None
    report_url: str | None
    aws_conn_id: str | None
    gcp_conn_id: str | None


def refuse_unknown(options: CopyAssetsOptions) -> None:
    """Raise TypeError for a typo in the options."""
    if unknown := sorted(options.keys() - CopyAssetsOptions.__annotations__.keys()):
        known = ", ".join(CopyAssetsOptions.__annotations__)
        raise TypeError(f"unknown options {', '.join(unknown)}; there are {known}")
