"""What a run did, and whether the mirror is whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.airflow_assets import READY
from kops_assets_provider.exceptions import KopsAssetsError, MissingAssetsError
from kops_assets_provider.operators.cluster_status import RunKind, push_cluster_status
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator
from kops_assets_provider.operators.readiness import Notify, notify, publish
from kops_assets_provider.options import copy_options

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.fleet import FleetList
    from kops_assets_provider.mirror.model.asset_list import AssetList
    from kops_assets_provider.mirror.report.fleet import FleetReport
    from kops_assets_provider.mirror.report.report import Report
    from kops_assets_provider.mirror.report.task_results import Results

__all__ = ["KopsFleetReportOperator", "KopsReportOperator"]

REPORT_KEY = "report"


class _ResultsOperator(FileStoresOperator):
    """Collect what the other tasks of a run left; the classes below it describe the parameters."""

    template_fields: Sequence[str] = (
        "check_downloads",
        "plan_only",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#ece2f5"

    def __init__(
        self,
        *,
        get_assets_task_id: str,
        plan_task_ids: Sequence[str],
        copy_task_ids: Sequence[str],
        check_downloads: bool | str = False,
        plan_only: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.check_downloads = check_downloads
        self.plan_only = plan_only
        self.get_assets_task_id = get_assets_task_id
        self.plan_task_ids = plan_task_ids
        self.copy_task_ids = copy_task_ids

    def gather(self, ti: Any) -> tuple[AssetList | FleetList, Results]:
        """Collect what the other tasks left in XCom."""
        from kops_assets_provider.mirror.lists.fleet import read_listed
        from kops_assets_provider.operators.results import gather_results

        listed = ti.xcom_pull(task_ids=self.get_assets_task_id)
        if listed is None:
            raise MissingAssetsError(f"there is no list: see the log of {self.get_assets_task_id}")
        results = gather_results(ti, self.plan_task_ids, self.copy_task_ids)
        where = f"XCom return_value of {self.get_assets_task_id}"
        return read_listed(listed, where), results

    def tell(self, context: Context, report: Report | FleetReport) -> None:
        """Tell what became of the assets, to the log and to XCom."""
        self.log.lines(logging.INFO, report.summary(), report.to_table())
        context["ti"].xcom_push(key=REPORT_KEY, value=report.to_dict())


class KopsReportOperator(_ResultsOperator):
    """
    Tell what became of every asset, keep it in the mirror's record, and fail if one is missing.

    It must be the run's last leaf, with the trigger rule ``all_done`` and without retries: so the
    run is green exactly when the mirror is whole, and clearing a failed copy with its downstream
    tells anew. The report is under the XCom key ``report``, also when something is missing.

    :param get_assets_task_id: the task whose list is reported on.
    :param plan_task_ids: the tasks that asked what is missing, of images and of files.
    :param copy_task_ids: the mapped tasks that copied, in the same order.
    :param cluster_name: which cluster to report on, where the list is that of a group of clusters:
        one task for each of them, in front of a ``KopsFleetReportOperator``.
    :param record_url: where the mirror's record is kept, if not beside the files: ``s3://…``,
        ``gs://…`` or a directory. (templated)
    :param check_downloads: request the download URL of each file without credentials, as nodes do.
        (templated)
    :param plan_only: copy nothing: report what a copy would do, why, and what it would take. The
        plans must have the same value. Nothing is written, no notifier is called, and the task does
        not fail for missing assets. (templated)
    :param report_url: where to write the report as a web page and as JSON, if anywhere: ``s3://…``,
        ``gs://…`` or a directory. (templated)
    :param on_readiness_change: notifiers that are called when the mirror becomes ready, or is no
        longer. Any callable that takes a context may be one. Their context has the report as
        ``kops_report``. Without a record they are called whenever something is missing.

    When the mirror is whole the Airflow asset ``ready_asset(cluster)`` is updated.

    The other parameters are those of ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "record_url",
        "report_url",
        *_ResultsOperator.template_fields,
    )

    def __init__(
        self,
        *,
        cluster_name: str | None = None,
        record_url: str | None = None,
        report_url: str | None = None,
        on_readiness_change: Sequence[Notify] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"outlets": [READY], **kwargs})
        self.cluster_name = cluster_name
        self.record_url = record_url
        self.report_url = report_url
        self.on_readiness_change = on_readiness_change

    def execute(self, context: Context) -> None:
        """Report, and fail if anything is missing."""
        with translate_errors(context):
            listed, report = self.make_report(context["ti"])
            ti, version = context["ti"], listed.kops_version
            if copy_options.DRY_RUN.read(self.plan_only):
                self.tell(context, replace(report, dry_run=True))
                push_cluster_status(ti, RunKind.DRY_RUN, report, version)
                return
            if copy_options.CHECK_DOWNLOADS.read(self.check_downloads):
                report = _with_downloads(report)
            self.tell(context, report)
            was_ready = self.keep_record(listed, report, context["run_id"])
            # Who is told that there is a newer record must not read the one before.
            push_cluster_status(ti, RunKind.COPY, report, version, **self.record_place(listed))
            self.write_report(listed, report, context)
            notify(self.on_readiness_change, context, report, was_ready)
            publish(context, report)
            report.raise_for_missing()

    def make_report(self, ti: Any) -> tuple[AssetList, Report]:
        """Report on the cluster, by what the other tasks left in XCom."""
        from kops_assets_provider.mirror.model.asset_list import AssetList
        from kops_assets_provider.mirror.report.task_results import make_report

        listed, results = self.gather(ti)
        own = listed if isinstance(listed, AssetList) else listed.find(self.cluster_name or "")
        return own, make_report(own.cluster, own.assets, results)

    def record_place(self, listed: AssetList) -> dict[str, str | None]:
        """Return where the mirror's record is, and the connections that read it."""
        from kops_assets_provider.mirror.record.places import record_target

        try:
            place = record_target(
                listed, copy_options.RECORD_URL.read(self.record_url), self.file_stores()
            )
        except KopsAssetsError:
            return {}  # whoever writes the record tells of it
        if place is None:
            return {}
        aws, google = self.cloud_conn_ids()
        return {"record": str(place), "aws_conn_id": aws, "gcp_conn_id": google}

    def keep_record(self, listed: AssetList, report: Report, run: str) -> bool | None:
        """
        Update the mirror's record, and return whether the mirror was whole before, if it is known.

        Without it less is known of the past, so nothing fails.
        """
        unknown = True if report.ready else None
        from kops_assets_provider.mirror.record.store import update_stored_record

        try:
            record_url = copy_options.RECORD_URL.read(self.record_url)
            kept = update_stored_record(listed, report, run, self.file_stores(), record_url)
        except Exception as err:  # noqa: BLE001  # the report must not be lost over its record
            self.log.warning("the mirror record could not be written: %s", err)
            return unknown
        if kept is None:
            self.log.warning(
                "no file is mirrored and there is no record_url, so there is no mirror record"
            )
            return unknown
        return kept.before.is_whole if kept.before else None

    def write_report(self, listed: AssetList, report: Report, context: Context) -> None:
        """Write the report as files, if they are wanted. XCom and log have it, so nothing fails."""
        url = copy_options.REPORT_URL.read(self.report_url)
        if not url:
            return
        from kops_assets_provider.mirror.report.files import write_report
        from kops_assets_provider.mirror.report.report import RunFacts

        try:
            facts = RunFacts(
                run=context["run_id"],
                kops_version=listed.kops_version,
                seconds=_seconds_since_start(context),
            )
            written = write_report(self.file_stores(), url, report, facts)
            self.log.info("the report is written to %s", " and ".join(written))
        except Exception as err:  # noqa: BLE001  # the report must not be lost over its files
            self.log.warning("the report could not be written to files: %s", err)


def _with_downloads(report: Report) -> Report:
    from kops_assets_provider.mirror.report.download_checks import report_with_downloads

    return report_with_downloads(report)


def _seconds_since_start(context: Context) -> float | None:
    # A run that is cleared begins anew, and so does its time.
    run = context.get("dag_run")
    start = run and run.start_date
    return (datetime.now(UTC) - start).total_seconds() if start else None


class KopsFleetReportOperator(_ResultsOperator):
    """
    Report on a group of clusters, and fail if the mirror of one of them is not complete.

    It must be the run's last leaf, with the trigger rule ``all_done`` and without retries, behind a
    ``KopsReportOperator`` for each cluster. The log has every asset of the group once; the XCom key
    ``report`` has that, and under ``clusters`` how each of them stands.

    :param get_assets_task_id: the task whose list is reported on.
    :param plan_task_ids: the plan tasks: of images first, then of files.
    :param copy_task_ids: the mapped copy tasks, in the same order.
    :param check_downloads: request the download URL of each file without credentials, as nodes do.
        (templated)
    :param plan_only: copy nothing: report what a copy would do, why, and what it would take. The
        plans must have the same value. (templated)

    The other parameters are those of ``FileStoresOperator``.
    """

    def execute(self, context: Context) -> None:
        """Report, and fail if anything is missing."""
        from kops_assets_provider.mirror.model.asset_list import AssetList
        from kops_assets_provider.mirror.report.fleet import FleetReport, group_report

        with translate_errors(context):
            listed, results = self.gather(context["ti"])
            if isinstance(listed, AssetList):
                raise MissingAssetsError(f"{self.get_assets_task_id} has no list of a group")
            whole = group_report(listed, results)
            if copy_options.DRY_RUN.read(self.plan_only):
                whole = replace(whole, dry_run=True)
            elif copy_options.CHECK_DOWNLOADS.read(self.check_downloads):
                whole = _with_downloads(whole)
            report = FleetReport.of(listed, whole)
            self.tell(context, report)
            report.raise_for_missing()
