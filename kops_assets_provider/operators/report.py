"""What a run did, and whether the mirror is whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from kops_assets_provider.exceptions import MissingAssetsError
from kops_assets_provider.mirror.downloads import report_with_downloads
from kops_assets_provider.mirror.lists import AssetList
from kops_assets_provider.mirror.outcome import Kind, Outcome
from kops_assets_provider.mirror.record import keep_record
from kops_assets_provider.mirror.report import Name, Report, Results, RunFacts, make_report
from kops_assets_provider.mirror.report_files import write_report
from kops_assets_provider.operators.errors import ERROR_KEY, told_to_airflow
from kops_assets_provider.operators.places import FileStoresOperator
from kops_assets_provider.operators.plan import SETTLED_KEY
from kops_assets_provider.operators.readiness import READY, Notify, notify, publish
from kops_assets_provider.operators.values import as_flag, as_optional

REPORT_KEY = "report"


class KopsReportOperator(FileStoresOperator):
    """
    Tell what became of every asset, keep it in the mirror's record, and fail if one is missing.

    It must be the run's last leaf, with the trigger rule ``all_done`` and without retries: so the
    run is green exactly when the mirror is whole, and clearing a failed copy with its downstream
    tells anew. The report is under the XCom key ``report``, also when something is missing.

    :param get_assets_task_id: the task whose list is reported on.
    :param plan_task_ids: the tasks that asked what is missing, of images and of files.
    :param copy_task_ids: the mapped tasks that copied, in the same order.
    :param record_url: directory or prefix of the record, for instance ``s3://bucket/records``;
        beside the cluster's file repository if it is not given. (templated)
    :param check_downloads: ask the download URL of each file without credentials, as nodes do.
        (templated)
    :param report_url: where to write the report as well, as a page and as JSON: a place like
        ``record_url``; nowhere if it is not given. (templated)
    :param on_readiness_change: notifiers, or what else may be called with a context, for when the
        mirror has become whole, or is no longer, since the run before. Their context has the report
        as ``kops_report``. Without a record nobody knows the run before, and they are called
        whenever something is missing.

    When the mirror is whole the Airflow asset ``ready_asset(cluster)`` is updated.

    The other parameters are those of ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "record_url",
        "check_downloads",
        "report_url",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#ece2f5"

    def __init__(
        self,
        *,
        get_assets_task_id: str,
        plan_task_ids: Sequence[str],
        copy_task_ids: Sequence[str],
        record_url: str | None = None,
        check_downloads: bool | str = False,
        report_url: str | None = None,
        on_readiness_change: Sequence[Notify] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"outlets": [READY], **kwargs})
        self.get_assets_task_id = get_assets_task_id
        self.plan_task_ids = plan_task_ids
        self.copy_task_ids = copy_task_ids
        self.record_url = record_url
        self.check_downloads = check_downloads
        self.report_url = report_url
        self.on_readiness_change = on_readiness_change

    def execute(self, context: Context) -> None:
        """Report, and fail if anything is missing."""
        with told_to_airflow(context):
            listed, report = self.gather(context["ti"])
            if as_flag("check_downloads", self.check_downloads):
                report = report_with_downloads(report)
            self.log.info("%s\n%s", report.summary(), report.to_table())
            context["ti"].xcom_push(key=REPORT_KEY, value=report.to_dict())
            was_ready = self.keep_record(listed, report, context["run_id"])
            self.write_report(listed, report, context)
            notify(self.on_readiness_change, context, report, was_ready)
            publish(context, report)
            report.raise_for_missing()

    def gather(self, ti: Any) -> tuple[AssetList, Report]:
        """Collect what the other tasks left in XCom."""
        listed = ti.xcom_pull(task_ids=self.get_assets_task_id)
        if listed is None:
            raise MissingAssetsError(f"there is no list: see the log of {self.get_assets_task_id}")
        found = AssetList.from_dict(listed)
        planned: set[Name] = set()
        copied: list[Any] = []
        errors = _pull(ti, self.plan_task_ids, ERROR_KEY)
        for kind, plan_id, copy_id in zip(
            Kind, self.plan_task_ids, self.copy_task_ids, strict=True
        ):
            plan = [x for assets in _pull(ti, [plan_id], "return_value") for x in assets]
            planned |= {(kind, x["canonical"]) for x in plan}
            done, failures = _pull_results(ti, copy_id, len(plan))
            copied += done
            errors += failures
        settled = [x for y in _pull(ti, self.plan_task_ids, SETTLED_KEY) for x in y]
        results = Results(
            settled=[Outcome.from_dict(x) for x in settled],
            planned=planned,
            copied=[Outcome.from_dict(x) for x in copied],
            errors=errors,
        )
        return found, make_report(found.cluster, found.assets, results)

    def keep_record(self, listed: AssetList, report: Report, run: str) -> bool | None:
        """
        Update the mirror's record, and return whether the mirror was whole before, if it is known.

        Without it less is known of the past, so nothing fails.
        """
        unknown = True if report.ready else None
        url = as_optional(self.record_url) or listed.record_url
        if not url:
            self.log.warning("no file repository and no record_url, so there is no mirror record")
            return unknown
        try:
            store, path = self.file_stores().open_place(url, f"{report.cluster}.json")
            before = keep_record(store, path, report, listed.kops_version, run)
        except Exception as err:  # noqa: BLE001  # the report must not be lost over its record
            self.log.warning("the mirror record could not be written: %s", err)
            return unknown
        return before.is_whole if before else None

    def write_report(self, listed: AssetList, report: Report, context: Context) -> None:
        """Write the report as files, if they are wanted. XCom and log have it, so nothing fails."""
        url = as_optional(self.report_url)
        if not url:
            return
        try:
            facts = RunFacts(
                context["run_id"], listed.kops_version, seconds=_seconds_since_start(context)
            )
            written = write_report(self.file_stores(), url, report, facts)
            self.log.info("the report is written to %s", " and ".join(written))
        except Exception as err:  # noqa: BLE001  # the report must not be lost over its files
            self.log.warning("the report could not be written to files: %s", err)


def _seconds_since_start(context: Context) -> float | None:
    # A run that is cleared begins anew, and so does its time.
    run = context.get("dag_run")
    start = run and run.start_date
    return (datetime.now(UTC) - start).total_seconds() if start else None


def _pull_results(ti: Any, task_id: str, count: int) -> tuple[list[Any], list[Any]]:
    """
    Return what the first ``count`` copies returned, and the errors that they left.

    After a plan was cleared and has become shorter, Airflow keeps what the tasks that are gone have
    left: then an asset has two results, and each index is asked for by itself.
    """
    found = _pull(ti, [task_id], "return_value"), _pull(ti, [task_id], ERROR_KEY)
    names = [x["canonical"] for x in (*found[0], *found[1])]
    if len(set(names)) == len(names):
        return found
    indexes = list(range(count))
    return (
        _pull(ti, [task_id], "return_value", map_indexes=indexes),
        _pull(ti, [task_id], ERROR_KEY, map_indexes=indexes),
    )


def _pull(ti: Any, task_ids: Sequence[str], key: str, **options: Any) -> list[Any]:
    # A task that was skipped, or failed before it pushed anything, left nothing.
    found = ti.xcom_pull(task_ids=list(task_ids), key=key, **options)
    return [x for x in found if x is not None]
