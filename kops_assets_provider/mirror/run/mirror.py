"""Check or copy a whole list in one process, as the command does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from kops_assets_provider.exceptions import (
    ConflictingTargetsError,
    InvalidInputError,
    KopsAssetsError,
)
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.copy.control import Control, CopyResult
from kops_assets_provider.mirror.copy.files import FileCopy, copy_file
from kops_assets_provider.mirror.copy.images import ImageCopy, copy_images
from kops_assets_provider.mirror.model.asset import Problem, name_of, now
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.outcome import Outcome, failed, not_mirrored
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.places.target_conflicts import (
    Write,
    file_writes,
    image_writes,
    split_conflicts,
)
from kops_assets_provider.mirror.plan.file_checks import check_files
from kops_assets_provider.mirror.plan.files import FileRules, plan_files
from kops_assets_provider.mirror.plan.image_checks import check_images
from kops_assets_provider.mirror.plan.image_policy import ALL, ImageRules
from kops_assets_provider.mirror.plan.images import in_one_process, plan_images
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import Plan
from kops_assets_provider.mirror.plan.planned_image import PlannedImage
from kops_assets_provider.mirror.record.places import document_writes
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.mirror.record.store import find_record, update_stored_record
from kops_assets_provider.mirror.report.download_checks import report_with_downloads
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.mirror.report.task_results import with_estimate
from kops_assets_provider.threads import Threads

log = get_logger(__name__)

_ASKED_AT_A_TIME = 16
_Asset = TypeVar("_Asset", ImageAsset, FileAsset)
_LONG_WAIT = 300.0  # seconds that a server may ask for: nobody comes back later for a command


def _ignore(*_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """
    Where a list is copied from and to, and how.

    :param record_url: where the mirror's record is kept, if not beside the files.
    :param jobs: blobs, and files, in flight at a time.
    :param deep: read every file at the target, whatever its store says of it.
    :param check_downloads: ask the files' download URLs as nodes do, without credentials.
    :param report_url: where the report is going to be written as files, so that no asset is.
    :param on_chunk: told the bytes of each chunk that is on its way, from several threads.
    :param on_plan: told the bytes that images will take at most, and how many files are copied.
    :param on_outcome: told each outcome as soon as it is known, from several threads.
    """

    registries: Registries
    stores: FileStores
    rules: ImageRules = ALL
    source_rewrites: dict[str, str] = field(default_factory=dict)
    record_url: str | None = None
    jobs: int = 4
    deep: bool = False
    check_downloads: bool = False
    report_url: str | None = None
    on_chunk: OnChunk = _ignore
    on_plan: Callable[[int, int], None] = _ignore
    on_outcome: Callable[[Outcome], None] = _ignore

    def check(self, listed: AssetList) -> Report:
        """
        Ask how every asset stands at the target. Nothing is written.

        :raises ConflictingTargetsError: two different sources for one target.
        """
        assets = listed.assets
        split_conflicts(assets.images, image_writes(assets.images, self.registries.target_url))
        writes = (*file_writes(assets.files, self.stores.locate), *self._documents(listed))
        split_conflicts(assets.files, writes)
        known = Known(partial(self._record, listed))
        image = check_images(assets.images, self.registries, self.rules, known)
        file = check_files(assets.files, self.stores, known, deep=self.deep)
        with Threads(_ASKED_AT_A_TIME, "check") as threads:
            images = [threads.submit(self._settled, x, image) for x in assets.images]
            files = [threads.submit(self._settled, x, file) for x in assets.files]
            outcomes = tuple(x.result() for x in (*images, *files))
        return self._asked(Report(cluster=listed.cluster, outcomes=outcomes))

    def copy(self, listed: AssetList) -> Report:
        """
        Copy what is missing or wrong at the target, and keep it in the mirror's record.

        :raises ConflictingTargetsError: two different sources for one target.
        :raises InvalidInputError: no image is downloaded through one of the caches.
        """
        known = Known(partial(self._record, listed))
        images = self._plan_images(listed, known)
        files = self._plan_files(listed, known)
        ahead = {x.asset: x for x in (*in_one_process(images), *files.ahead)}
        for outcome in (*images.settled, *files.settled):
            self.on_outcome(outcome)
        sizes = (x.job.tree.size for x in images.to_copy if x.job)
        self.on_plan(sum(sizes), len(files.to_copy))
        control = Control(
            retries=Retries(max_wait_seconds=_LONG_WAIT), workers=self.jobs, on_chunk=self.on_chunk
        )
        jobs = [
            ImageCopy(image=x, registries=self.registries, rules=self.rules, known=known)
            for x in images.to_copy
        ]
        results = copy_images(jobs, control, self._tell_result)
        results += self._copy_files(files.to_copy, control)
        copied = [with_estimate(x.outcome, ahead.get(x.outcome.asset)) for x in results]
        report = self._asked(_report(listed, (*images.settled, *files.settled, *copied)))
        self._keep_record(listed, report)
        return report

    def dry_run(self, listed: AssetList) -> Report:
        """Tell what ``copy`` would do, and what it would take; raises what ``copy`` raises."""
        known = Known(partial(self._record, listed))
        images = self._plan_images(listed, known, measure_savings=True)
        files = self._plan_files(listed, known)
        ahead = (*in_one_process(images), *files.ahead)
        report = _report(listed, (*images.settled, *files.settled, *ahead))
        return replace(report, dry_run=True)

    def _asked(self, report: Report) -> Report:
        return report_with_downloads(report) if self.check_downloads else report

    def _plan_images(
        self, listed: AssetList, known: Known, *, measure_savings: bool = False
    ) -> Plan[PlannedImage]:
        images = listed.assets.images
        try:
            return plan_images(
                images, self.registries, self.rules, known, measure_savings=measure_savings
            )
        except (ConflictingTargetsError, InvalidInputError):
            raise
        except Exception as err:  # noqa: BLE001  # a target that is down must not keep files back
            return Plan(to_copy=(), settled=tuple(_unplanned(x, err) for x in images))

    def _plan_files(self, listed: AssetList, known: Known) -> Plan[FileAsset]:
        files = listed.assets.files
        try:
            rules = FileRules(
                deep=self.deep, on_drift=self.rules.on_drift, source_rewrites=self.source_rewrites
            )
            documents = self._documents(listed)
            return plan_files(files, self.stores, known, rules, documents=documents)
        except ConflictingTargetsError:
            raise
        except Exception as err:  # noqa: BLE001  # likewise for images
            return Plan(to_copy=(), settled=tuple(_unplanned(x, err) for x in files))

    def _record(self, listed: AssetList) -> MirrorRecord | None:
        return find_record(listed, self.stores, self.record_url)

    def _keep_record(self, listed: AssetList, report: Report) -> None:
        """Update the record. Without it less is known of the past, so nothing fails."""
        try:
            run = f"kops-assets copy at {now()}"
            update_stored_record(listed, report, run, self.stores, self.record_url)
        except Exception as err:  # noqa: BLE001  # the report must not be lost over its record
            log.warning("the mirror record could not be written: %s", err)

    def _documents(self, listed: AssetList) -> Iterable[Write]:
        return document_writes([listed], self.stores, self.record_url, self.report_url)

    def _copy_files(self, files: Iterable[FileAsset], control: Control) -> list[CopyResult]:
        http = HttpClient()

        def copy(asset: FileAsset) -> CopyResult:
            job = FileCopy(
                asset=asset,
                stores=self.stores,
                source_rewrites=self.source_rewrites,
                deep=self.deep,
                http=http,
            )
            result = copy_file(job, control)
            self._tell_result(result)
            return result

        stop = control.retries.stop.set
        with Threads(self.jobs, "files", stop=stop, aborts=[http.abort]) as threads:
            return threads.map(copy, files)

    def _tell_result(self, result: CopyResult) -> None:
        if result.error is not None and not isinstance(result.error, KopsAssetsError):
            name = result.outcome.canonical
            log.error("%s: unexpected error", name, exc_info=result.error)
        self.on_outcome(result.outcome)

    def _settled(self, asset: _Asset, settle: Callable[[_Asset], Outcome]) -> Outcome:
        try:
            result = CopyResult(outcome=settle(asset))
        except Exception as err:  # noqa: BLE001  # one asset's failure is its own, whatever it is
            result = CopyResult(outcome=failed(name_of(asset), Problem.of(err)), error=err)
        self._tell_result(result)
        return result.outcome


def _unplanned(asset: ImageAsset | FileAsset, err: Exception) -> Outcome:
    if asset.canonical == asset.download:
        return not_mirrored(asset)
    return failed(name_of(asset), Problem.of(err))


def _report(listed: AssetList, outcomes: Iterable[Outcome]) -> Report:
    """Return the outcomes in the order of the list."""
    found = {x.asset: x for x in outcomes}
    images = tuple(found[name_of(x)] for x in listed.assets.images)
    files = tuple(found[name_of(x)] for x in listed.assets.files)
    return Report(cluster=listed.cluster, outcomes=(*images, *files))
