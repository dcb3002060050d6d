"""Copy one asset, in a task of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator, Context, TaskInstanceState

from kops_assets_provider.exceptions import KopsAssetsError, StoppedError
from kops_assets_provider.mirror.model.asset import Kind, Name, Problem
from kops_assets_provider.mirror.model.outcome import Outcome, failed
from kops_assets_provider.mirror.model.schema import with_schema
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.lineage import copy_lineage
from kops_assets_provider.operators.links import SourceLink, TargetLink
from kops_assets_provider.operators.metrics import count_outcome, measured
from kops_assets_provider.operators.place_parameters import FileStoresOperator, RegistriesOperator
from kops_assets_provider.operators.progress import Progress
from kops_assets_provider.options import copy_options
from kops_assets_provider.options.readers import as_text
from kops_assets_provider.redaction import printable, redact

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.kops.assets import FileAsset
    from kops_assets_provider.mirror.copy.control import Control, CopyResult
    from kops_assets_provider.mirror.plan.planned_image import PlannedImage

__all__ = ["KopsCopyFileOperator", "KopsCopyImageOperator"]


class _Killed(BaseException):
    """Raised where a copy waits when its task is killed; no handler on the way is meant by it."""


class _CopyOperator(BaseOperator):
    """
    Copy one asset.

    ``asset`` comes from a list, so it is data: it is no template field, and Airflow never renders
    it. ``canonical`` and ``download`` are written by the author of a DAG, so they are templates.

    :param asset: an element of the list that the plan returned; map the operator over that list
        with ``expand(asset=plan.output)``.
    :param canonical: instead of ``asset``: its name or URL upstream. (templated)
    :param download: the name or URL under which the cluster's nodes get it. (templated)
    """

    kind: ClassVar[Kind]
    template_fields: Sequence[str] = ("canonical", "download")
    operator_extra_links = (SourceLink(), TargetLink())
    ui_color = "#dcefdc"

    def __init__(
        self,
        *,
        asset: Mapping[str, Any] | None = None,
        canonical: str | None = None,
        download: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (asset is None) == (canonical is None and download is None):
            raise TypeError(f"task {self.task_id}: give asset, or canonical and download")
        self.asset = asset
        self.canonical = canonical
        self.download = download
        self._stop: threading.Event | None = None
        self._progress: Progress | None = None
        self._result: CopyResult | None = None
        self._copies_in: int | None = None

    @property
    def _where(self) -> str:
        """Where the asset's values are from, for messages."""
        return "parameters" if self.asset is None else "XCom given as asset"

    def _values(self, **own: Any) -> Mapping[str, Any]:
        """Return ``asset``, or else what the other parameters say in its place."""
        if self.asset is not None:
            return self.asset
        return with_schema({"canonical": self.canonical, "download": self.download, **own})

    @property
    def source_name(self) -> str:
        """Return the asset's canonical name as it may be shown; empty if it is not known."""
        return self._name("canonical")

    @property
    def target_name(self) -> str:
        """Return the asset's download name as it may be shown; empty if it is not known."""
        return self._name("download")

    def _name(self, key: str) -> str:
        found = getattr(self, key) if self.asset is None else _get(self.asset, key)
        if not isinstance(found, str):
            return ""
        # It becomes a label, which users see who may not see connections.
        return redact(found) if self.kind is Kind.FILE else printable(found)

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the copy's outcome."""
        self._stop = threading.Event()
        self.log.info("%s to %s", self.source_name, self.target_name)
        tags = {"kind": str(self.kind), "target": self.target_host()}
        with measured(**tags), translate_errors(context, self._failed), Progress(context) as told:
            self._progress = told
            outcome = self._copy_until_killed(context).raise_error()
        count_outcome(outcome, **tags)
        self._log_outcome(outcome)
        return outcome.to_dict()

    def _failed(self, error: BaseException) -> dict[str, Any]:
        """Return what the report needs: the cost of a copy that failed is known as well."""
        if self._result and self._result.error is error:
            return self._result.outcome.to_dict()
        name = Name(kind=self.kind, canonical=self.source_name, download=self.target_name)
        return failed(name, Problem.of(error)).to_dict()

    def _copy_until_killed(self, context: Context) -> CopyResult:
        self._copies_in = threading.get_ident()
        try:
            self._result = self.copy(context)
        except _Killed:
            raise self._stopped() from None
        finally:
            self._copies_in = None
        return self._result

    def control(self, **options: Any) -> Control:
        """Return how the copy runs, and how it is stopped."""
        from kops_assets_provider.mirror.copy.control import Control

        return Control.until(self._stop, on_chunk=self.on_chunk, **options)

    def _stopped(self) -> StoppedError:
        return StoppedError(f"{self.source_name}: stopped, because the task was killed")

    def _log_outcome(self, outcome: Outcome) -> None:
        sent, content = outcome.cost.sent, outcome.facts.content
        self.log.info("%s: %d bytes sent, %s", outcome.state, sent, content)
        if outcome.facts.drift:
            self.log.warning(
                "%s has moved to %s since the plan; the planned image is copied",
                self.source_name,
                outcome.facts.drift,
            )

    def copy(self, context: Context) -> CopyResult:
        """Copy the asset unless the target has it."""
        raise NotImplementedError

    def on_kill(self) -> None:
        """End the copy; nothing half-made stays."""
        if not self._stop or self._stop.is_set():
            return
        self._stop.set()
        # A signal's handler runs in the copy's own thread, and what it raises ends any wait there:
        # of a server that says nothing no chunk would come before Airflow kills without notice.
        if self._copies_in == threading.get_ident():
            raise _Killed

    def on_chunk(self, size: int) -> None:
        """Count the bytes of a chunk."""
        if self._progress:
            self._progress.add(size)

    def written_elsewhere(self) -> dict[str, str]:
        """Return prefixes of download URLs, and where what belongs under them is written."""
        return {}

    def target_host(self) -> str:
        """Return the target's registry or bucket, for metrics."""
        from kops_assets_provider.mirror.places.lineage import dataset

        try:
            return dataset(self.kind, self.target_name, self.written_elsewhere()).host
        except KopsAssetsError:
            return "unknown"  # the copy itself says what is wrong

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any | None:
        """Tell OpenLineage from where to where this copies, if it asks."""
        try:
            elsewhere = self.written_elsewhere()
        except KopsAssetsError:
            return None
        return copy_lineage(self.kind, self.source_name, self.target_name, elsewhere)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any | None:
        """Tell OpenLineage from where to where this was to copy."""
        return self.get_openlineage_facets_on_complete(task_instance)


def _get(asset: object, key: str) -> object:
    # Whatever a writer of XComs has put there.
    return asset.get(key) if isinstance(asset, Mapping) else None


class KopsCopyImageOperator(_CopyOperator, RegistriesOperator):
    """
    Copy an image unless the target has it. Returns the outcome.

    :param asset: an element of the list that ``KopsPlanImagesOperator`` returned: the names, the
        digest, and hints about blobs. It is data, never a template.
    :param canonical: instead of ``asset``: the image's name upstream. (templated)
    :param download: the name under which the cluster's nodes pull it. (templated)
    :param digest: the image to copy, even if the tag has moved since; None for the image that has
        the tag now. (templated)

    The other parameters are those of ``RegistriesOperator``.
    """

    kind = Kind.IMAGE
    template_fields: Sequence[str] = (
        *_CopyOperator.template_fields,
        "digest",
        *RegistriesOperator.template_fields,
    )

    def __init__(self, *, digest: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.digest = digest

    def planned(self) -> PlannedImage:
        """Return the image to copy; raises InvalidInputError."""
        from kops_assets_provider.mirror.plan.planned_image import PlannedImage

        return PlannedImage.from_dict(
            self._values(digest=as_text("digest", self.digest)), self._where
        )

    def copy(self, context: Context) -> CopyResult:
        """Copy the image unless the target has it."""
        from kops_assets_provider.mirror.copy.images import ImageCopy, copy_image

        image = self.planned()
        is_coming = partial(_is_running, context["ti"], image.leaders)
        job = ImageCopy(image=image, registries=self.registries(), rules=self.rules())
        return copy_image(job, self.control(is_coming=is_coming))


def _is_running(ti: Any, leaders: Mapping[str, Sequence[int]], repository: str) -> bool:
    """Return whether a task is running that uploads blobs to ``repository``."""
    return any(
        TaskInstanceState.RUNNING in states.values()
        for index in leaders.get(repository, ())
        for states in ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[ti.task_id], map_index=index, run_ids=[ti.run_id]
        ).values()
    )


class KopsCopyFileOperator(_CopyOperator, FileStoresOperator):
    """
    Copy a file, and its SHA-256 beside it, unless the target has it. Returns the outcome.

    :param asset: an element of the list that ``KopsPlanFilesOperator`` returned: the URLs and the
        SHA-256. It is data, never a template.
    :param canonical: instead of ``asset``: the file's URL upstream. (templated)
    :param download: the URL from which the cluster's nodes download it. (templated)
    :param sha: its SHA-256, 64 hex digits. (templated)
    :param source_rewrites: prefixes of canonical names and URLs, each with the place that these are
        really fetched from, such as a pull-through cache. Names and hashes stay the same.
        (templated)
    :param deep: read every file at the target again and hash it, even if its store keeps a hash of
        it. (templated)

    The other parameters are those of ``FileStoresOperator``.
    """

    kind = Kind.FILE
    template_fields: Sequence[str] = (
        *_CopyOperator.template_fields,
        "sha",
        "source_rewrites",
        "deep",
        *FileStoresOperator.template_fields,
    )

    def __init__(
        self,
        *,
        sha: str | None = None,
        source_rewrites: Mapping[str, str] | str | None = None,
        deep: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sha = sha
        self.source_rewrites = source_rewrites
        self.deep = deep

    def file(self) -> FileAsset:
        """Return the file to copy; raises InvalidInputError."""
        from kops_assets_provider.mirror.plan.planned_file import planned_file_from_dict

        return planned_file_from_dict(self._values(sha=self.sha), self._where)

    def copy(self, context: Context) -> CopyResult:
        """Copy the file unless the target has it."""
        from kops_assets_provider.mirror.copy.files import FileCopy, copy_file

        rewrites = copy_options.SOURCE_REWRITES.read(self.source_rewrites)
        deep = copy_options.DEEP.read(self.deep)
        job = FileCopy(
            asset=self.file(), stores=self.file_stores(), source_rewrites=rewrites, deep=deep
        )
        return copy_file(job, self.control())

    def written_elsewhere(self) -> dict[str, str]:
        """Return ``file_targets``; raises InvalidInputError."""
        return copy_options.FILE_TARGETS.read(self.file_targets)
