"""The tasks that mirror a cluster's assets, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple, Unpack

from airflow.sdk import BaseOperator, TaskGroup, TriggerRule

from kops_assets_provider.airflow_assets import READY
from kops_assets_provider.airflow_versions import RETRY_BACKOFF, literal
from kops_assets_provider.operators.check import KopsCheckAssetsOperator
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
from kops_assets_provider.operators.get_assets import KopsGetAssetsOperator
from kops_assets_provider.operators.get_fleet_assets import KopsGetFleetAssetsOperator
from kops_assets_provider.operators.plan import (
    KopsPlanFilesOperator,
    KopsPlanImagesOperator,
    refuse_too_many,
)
from kops_assets_provider.operators.report import KopsFleetReportOperator, KopsReportOperator
from kops_assets_provider.options.table import OPTIONS
from kops_assets_provider.task_groups import task_docs
from kops_assets_provider.task_groups.options import CopyAssetsOptions, refuse_unknown

__all__ = ["kops_copy_assets_task_group"]

# Rendered before a copy begins, so a failed one has it too. Airflow's column has 250 characters.
_LABEL = "{{ task.source_name[-250:] }}"
RETRIES: dict[str, Any] = {
    "retries": 4,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": RETRY_BACKOFF,
    "max_retry_delay": timedelta(minutes=10),
}
"""Default arguments: a server that is down for a few minutes at night must not cost a run."""


def kops_copy_assets_task_group(
    group_id: str = "copy_assets", **options: Unpack[CopyAssetsOptions]
) -> TaskGroup:
    """Return a task group that mirrors one cluster's assets; call it in the context of your DAG."""
    with TaskGroup(group_id) as group:
        # Those of the DAG that the group is in go before ours.
        group.default_args = {**RETRIES, **group.dag.default_args, **group.default_args}
        copy_assets_tasks(**options)
    return group


def check_assets_tasks(**options: Unpack[CopyAssetsOptions]) -> None:
    """Add the tasks that ask whether a mirror is whole; raises TypeError for a typo."""
    listed = _get_assets(options)
    KopsCheckAssetsOperator(
        task_id="check",
        doc_md=task_docs.CHECK,
        assets=listed.output,
        **_options_of(KopsCheckAssetsOperator, options),
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
    refuse_too_many(f"group {group}", clusters)
    data: Any = literal(clusters)  # a file says it, so Airflow must not render it
    listed = KopsGetFleetAssetsOperator(
        task_id="get_assets",
        doc_md=task_docs.GET_FLEET_ASSETS,
        group=group,
        clusters=data,
        **_options_of(KopsGetFleetAssetsOperator, options),
    )
    copies = _copy_tasks(listed, options)
    publish = KopsReportOperator.partial(
        task_id="publish_readiness",
        doc_md=task_docs.PUBLISH_READINESS,
        map_index_template="{{ task.cluster_name }}",
        outlets=[READY],  # Airflow does not see those that a mapped operator sets itself
        **_report_options(listed, copies, options),
    ).expand(cluster_name=list(clusters))
    report = KopsFleetReportOperator(
        task_id="report",
        doc_md=task_docs.FLEET_REPORT,
        **_results(listed, copies),
        **_options_of(KopsFleetReportOperator, options),
    )
    copies.mapped >> publish >> report


def _get_assets(options: CopyAssetsOptions) -> KopsGetAssetsOperator:
    """Add the task that all others begin with; raises TypeError for a typo in the options."""
    refuse_unknown(options)
    return KopsGetAssetsOperator(
        task_id="get_assets",
        doc_md=task_docs.GET_ASSETS,
        **_options_of(KopsGetAssetsOperator, options),
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
    plan_images = KopsPlanImagesOperator(
        task_id="plan_images",
        doc_md=task_docs.PLAN_IMAGES,
        assets=listed.output,
        **_options_of(KopsPlanImagesOperator, options),
    )
    plan_files = KopsPlanFilesOperator(
        task_id="plan_files",
        doc_md=task_docs.PLAN_FILES,
        assets=listed.output,
        **_options_of(KopsPlanFilesOperator, options),
    )
    copy_image = KopsCopyImageOperator.partial(
        task_id="copy_image",
        doc_md=task_docs.COPY_IMAGE,
        map_index_template=_LABEL,
        **_options_of(KopsCopyImageOperator, options),
        **pool,
    ).expand(asset=plan_images.output)
    copy_file = KopsCopyFileOperator.partial(
        task_id="copy_file",
        doc_md=task_docs.COPY_FILE,
        map_index_template=_LABEL,
        **_options_of(KopsCopyFileOperator, options),
        **pool,
    ).expand(asset=plan_files.output)
    return _Copies(plans=[plan_images, plan_files], mapped=[copy_image, copy_file])


def _results(listed: KopsGetAssetsOperator, copies: _Copies) -> dict[str, Any]:
    """Return the arguments that both reports have in common."""
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
    own = {"on_readiness_change": options.get("on_readiness_change", ())}
    return _results(listed, copies) | own | _options_of(KopsReportOperator, options)


def _options_of(operator: type[BaseOperator], options: CopyAssetsOptions) -> dict[str, Any]:
    """Return the options that an operator has as template fields, by the names of these."""
    given: Mapping[str, Any] = options
    fields = {x.parameter: x.name for x in OPTIONS.values() if x.name in given}
    return {x: given[fields[x]] for x in operator.template_fields if x in fields}
