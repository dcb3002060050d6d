"""The tasks that mirror a cluster's assets, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, TypedDict, Unpack

from airflow.sdk import TaskGroup, TriggerRule

from kops_assets_provider.operators.check import KopsCheckAssetsOperator
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
from kops_assets_provider.operators.get_assets import KopsGetAssetsOperator
from kops_assets_provider.operators.get_fleet_assets import KopsGetFleetAssetsOperator
from kops_assets_provider.operators.plan import KopsPlanFilesOperator, KopsPlanImagesOperator
from kops_assets_provider.operators.readiness import READY, Notify
from kops_assets_provider.operators.report import KopsFleetReportOperator, KopsReportOperator
from kops_assets_provider.task_groups import task_docs

# Rendered before a copy begins, so a failed one has it too. Airflow's column has 250 characters.
_LABEL = "{{ task.canonical[-250:] }}"
# A server that is down for a few minutes at night must not cost a run.
_RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}
_LIST_OPTIONS = (
    *("cluster_spec", "state_store", "cluster_name", "asset_list", "kops_version"),
    *("kubernetes_version", "kops_command", "nearest_release"),
    *("any_kubernetes_version", "extended", "extra_images", "extra_files"),
    *("sha_file", "output_url"),
)
_STORE_OPTIONS = ("file_targets", "bucket_owner", "s3_options", "gcs_options")
_PLACES = ("aws_conn_id", "gcp_conn_id", "source_rewrites", *_STORE_OPTIONS)
_CHECK_OPTIONS = ("immutable_tags", "record_url", "deep", "check_downloads")
_NOT_IN_FLEETS = ("kops_command", "output_url", "cluster_name")
CLUSTER_OPTIONS = tuple(x for x in _LIST_OPTIONS if x not in _NOT_IN_FLEETS)
"""What may be another one for a cluster than for the rest of its group."""
_IMAGE_OPTIONS = ("registry_conn_ids", "platforms", "warm", "warm_days", "ecr_repositories")


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
    check_downloads: bool | str
    on_readiness_change: Sequence[Notify]
    copy_pool: str
    output_url: str | None
    record_url: str | None
    report_url: str | None
    aws_conn_id: str | None
    gcp_conn_id: str | None


FILE_OPTIONS = tuple(
    x
    for x in CopyAssetsOptions.__annotations__
    if x not in (*_NOT_IN_FLEETS, "on_readiness_change")
)
"""What a fleet's file may say for a group."""


def kops_copy_assets_task_group(
    group_id: str = "copy_assets", **options: Unpack[CopyAssetsOptions]
) -> TaskGroup:
    """Return the tasks as a group, to be used in a DAG of one's own; call it within that DAG."""
    with TaskGroup(group_id) as group:
        copy_assets_tasks(**options)
    return group


def check_assets_tasks(**options: Unpack[CopyAssetsOptions]) -> None:
    """Add the tasks that ask whether a mirror is whole; raises TypeError for a typo."""
    listed = _get_assets(options)
    KopsCheckAssetsOperator(
        task_id="check",
        doc_md=task_docs.CHECK,
        assets=listed.output,
        **_pick(options, *_PLACES, *_IMAGE_OPTIONS, *_CHECK_OPTIONS),
        **_RETRIES,
    )


def copy_fleet_tasks(
    group: str, clusters: Mapping[str, Mapping[str, Any]], **options: Unpack[CopyAssetsOptions]
) -> None:
    """
    Add the tasks that mirror a group of clusters; raises TypeError for a typo.

    :param group: its name.
    :param clusters: each cluster's name, and the options of its list that are other ones for it.
    :param options: those that hold for all of them.
    """
    refuse_unknown(options)
    listed = KopsGetFleetAssetsOperator(
        task_id="get_assets",
        doc_md=task_docs.GET_FLEET_ASSETS,
        group=group,
        clusters=clusters,
        **_pick(options, *_PLACES, *_LIST_OPTIONS),
        **_RETRIES,
    )
    copies = _copy_tasks(listed, options)
    publish = KopsReportOperator.partial(
        task_id="publish_readiness",
        doc_md=task_docs.PUBLISH_READINESS,
        map_index_template="{{ task.cluster }}",
        outlets=[READY],  # Airflow does not see those that a mapped operator sets itself
        **_report_options(listed, copies, options),
    ).expand(cluster=list(clusters))
    report = KopsFleetReportOperator(
        task_id="report",
        doc_md=task_docs.FLEET_REPORT,
        **_results(listed, copies),
        **_pick(options, "check_downloads"),
    )
    copies.mapped >> publish >> report


def refuse_unknown(options: CopyAssetsOptions) -> None:
    """Raise TypeError for a typo in the options."""
    if unknown := sorted(options.keys() - CopyAssetsOptions.__annotations__.keys()):
        known = ", ".join(CopyAssetsOptions.__annotations__)
        raise TypeError(f"unknown options {', '.join(unknown)}; there are {known}")


def _get_assets(options: CopyAssetsOptions) -> KopsGetAssetsOperator:
    """Add the task that all others begin with; raises TypeError for a typo in the options."""
    refuse_unknown(options)
    return KopsGetAssetsOperator(
        task_id="get_assets",
        doc_md=task_docs.GET_ASSETS,
        **_pick(options, *_PLACES, *_LIST_OPTIONS),
        **_RETRIES,
    )


def copy_assets_tasks(**options: Unpack[CopyAssetsOptions]) -> None:
    """Add the tasks to the DAG, and the group, that is being made; raises TypeError for a typo."""
    listed = _get_assets(options)
    copies = _copy_tasks(listed, options)
    report = KopsReportOperator(
        task_id="report", doc_md=task_docs.REPORT, **_report_options(listed, copies, options)
    )
    copies.mapped >> report


class _Copies(NamedTuple):
    """The tasks between the list and the report: those of images first, then those of files."""

    plans: list[Any]
    mapped: list[Any]


def _copy_tasks(listed: KopsGetAssetsOperator, options: CopyAssetsOptions) -> _Copies:
    pool = {"pool": options["copy_pool"]} if "copy_pool" in options else {}
    clouds = _pick(options, "aws_conn_id", "gcp_conn_id") | _RETRIES
    sources = _pick(options, "source_rewrites")
    images = clouds | sources | _pick(options, *_IMAGE_OPTIONS)
    stores = _pick(options, *_STORE_OPTIONS)
    files = clouds | stores
    record, deep = _pick(options, "record_url"), _pick(options, "deep")

    plan_images = KopsPlanImagesOperator(
        task_id="plan_images",
        doc_md=task_docs.PLAN_IMAGES,
        assets=listed.output,
        **images,
        **stores,
        **record,
        **_pick(options, "immutable_tags"),
    )
    plan_files = KopsPlanFilesOperator(
        task_id="plan_files",
        doc_md=task_docs.PLAN_FILES,
        assets=listed.output,
        **files,
        **record,
        **deep,
    )
    copy_image = KopsCopyImageOperator.partial(
        task_id="copy_image",
        doc_md=task_docs.COPY_IMAGE,
        map_index_template=_LABEL,
        **images,
        **pool,
    ).expand_kwargs(plan_images.output)
    copy_file = KopsCopyFileOperator.partial(
        task_id="copy_file",
        doc_md=task_docs.COPY_FILE,
        map_index_template=_LABEL,
        **files,
        **sources,
        **deep,
        **pool,
    ).expand_kwargs(plan_files.output)
    return _Copies([plan_images, plan_files], [copy_image, copy_file])


def _results(listed: KopsGetAssetsOperator, copies: _Copies) -> dict[str, Any]:
    """Return what the tasks have in common that tell what became of the others."""
    return {
        "get_assets_task_id": listed.task_id,
        "plan_task_ids": [x.task_id for x in copies.plans],
        "copy_task_ids": [x.task_id for x in copies.mapped],
        "trigger_rule": TriggerRule.ALL_DONE,
        "retries": 0,
    }


def _report_options(
    listed: KopsGetAssetsOperator, copies: _Copies, options: CopyAssetsOptions
) -> dict[str, Any]:
    names = ("record_url", "on_readiness_change", "check_downloads", "report_url")
    places = _pick(options, "aws_conn_id", "gcp_conn_id", *_STORE_OPTIONS, *names)
    return _results(listed, copies) | places


def _pick(options: CopyAssetsOptions, *names: str) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in names}
