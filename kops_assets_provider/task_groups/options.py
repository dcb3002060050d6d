"""What the makers of DAGs and task groups are told, and which tasks it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from kops_assets_provider.operators.get_assets import SOURCES
from kops_assets_provider.operators.get_fleet_assets import NOT_FOR_GROUPS
from kops_assets_provider.operators.readiness import Notify

LIST_OPTIONS = (
    *(*SOURCES, "cluster_name", "kops_version"),
    *("kubernetes_version", "kops_command", "nearest_release"),
    *("any_kubernetes_version", "extended", "extra_images", "extra_files"),
    *("sha_file", "output_url"),
)
STORE_OPTIONS = ("file_targets", "bucket_owner", "s3_options", "gcs_options")
PLACES = ("aws_conn_id", "gcp_conn_id", "source_rewrites", *STORE_OPTIONS)
CHECK_OPTIONS = ("immutable_tags", "record_url", "deep", "check_downloads")
_NOT_IN_FLEETS = (*NOT_FOR_GROUPS, "cluster_name")
CLUSTER_OPTIONS = tuple(x for x in LIST_OPTIONS if x not in _NOT_IN_FLEETS)
"""What may be another one for a cluster than for the rest of its group."""
IMAGE_OPTIONS = (
    *("registry_conn_ids", "platforms", "warm", "warm_days", "ecr_repositories", "on_drift"),
)


class CopyAssetsOptions(TypedDict, total=False):
    """
    What to mirror, from where, to where. All values may be templates.

    :param cluster_spec: path of the cluster's manifest on the workers, or its text.
    :param state_store: instead of that, kOps' state store: ``s3://…``, ``gs://…`` or a directory,
        and ``cluster_name`` in it.
    :param asset_list: a saved list to read instead of computing one.
    :param kops_version: the kOps release that the cluster is, or will be, updated with.
    :param kubernetes_version: list for it instead of the spec's. Of both versions several may be
        given: what any of them needs is mirrored.
    :param kops_command: a kops program on the workers that lists instead of us.
    :param nearest_release: an unknown patch release is listed with the nearest one's rules.
    :param any_kubernetes_version: also for a version that the release does not support.
    :param extended: also what the cluster uses and kOps does not list.
    :param extra_images: names of more images, and ``extra_files``: URLs of more files, with their
        SHA-256 or None.
    :param sha_file: path of a YAML file of hashes that take precedence over the release's own.
    :param registry_conn_ids: a registry's host to an ``oci_registry`` connection.
    :param source_rewrites: prefixes of canonical names and URLs, and where those are really
        fetched.
    :param platforms: ``os/architecture[/variant]`` to copy of each image; all if empty.
    :param warm: hosts of pull-through caches, which images are read through, and after how many
        days again: ``warm_days``.
    :param ecr_repositories: how to make repositories in ECR that are not there; None to make none.
    :param immutable_tags: beginnings of canonical names whose tags never move: the source is not
        asked about those that the target has.
    :param file_targets: prefixes of download URLs, and where to write what belongs under them.
    :param bucket_owner: the AWS account that buckets in S3 must belong to.
    :param s3_options: how objects are stored in S3, ``gcs_options`` how in Google Cloud Storage.
    :param deep: read every file at the target again.
    :param on_drift: what is to become of an asset that is another one at the source than it was,
        under the same name: ``fail``, the default, ``keep`` an image, or ``take`` the new one.
    :param dry_run: copy nothing, and only tell what would be done and what it would take.
    :param check_downloads: ask the files' download URLs without credentials, as nodes do.
    :param on_readiness_change: notifiers for when the mirror has become whole, or is no longer; no
        template.
    :param copy_pool: Airflow's pool that all copies take a slot of; no template.
    :param output_url: where to save the list as well.
    :param record_url: where the mirror's record is kept, if not beside the files.
    :param report_url: where the report is written as a page and as JSON, if anywhere.
    :param aws_conn_id: connection for ECR and S3.
    :param gcp_conn_id: connection for Google's registries and Cloud Storage.
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


NOT_TEMPLATES = ("on_readiness_change", "copy_pool")
FILE_OPTIONS = tuple(
    x
    for x in CopyAssetsOptions.__annotations__
    if x not in (*_NOT_IN_FLEETS, "on_readiness_change")
)
"""What a fleet's file may say for a group."""


def refuse_unknown(options: CopyAssetsOptions) -> None:
    """Raise TypeError for a typo in the options."""
    if unknown := sorted(options.keys() - CopyAssetsOptions.__annotations__.keys()):
        known = ", ".join(CopyAssetsOptions.__annotations__)
        raise TypeError(f"unknown options {', '.join(unknown)}; there are {known}")


def pick(options: CopyAssetsOptions, *names: str) -> dict[str, Any]:
    """Return those options that are named."""
    return {name: value for name, value in options.items() if name in names}
