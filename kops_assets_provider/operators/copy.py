"""Copy one asset, in a task of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context, TaskInstanceState

from kops_assets_provider.exceptions import KopsAssetsError, StoppedError
from kops_assets_provider.mirror.outcome import Kind, Outcome
from kops_assets_provider.operators.errors import told_to_airflow
from kops_assets_provider.operators.lineage import copy_lineage
from kops_assets_provider.operators.links import SourceLink, TargetLink
from kops_assets_provider.operators.metrics import count_outcome, measured
from kops_assets_provider.operators.places import FileStoresOperator, RegistriesOperator
from kops_assets_provider.operators.progress import Progress
from kops_assets_provider.operators.values import as_flag, as_mapping

# Each task reads the DAG file first, so what only its work needs is imported where it is done.


class _Killed(BaseException):
    """Raised where a copy waits when its task is killed; no handler on the way is meant by it."""


class _CopyOperator(BaseOperator):
    """
    Copy one asset.

    :param canonical: its name or URL upstream. (templated)
    :param download: the name or URL under which the cluster's nodes get it. (templated)
    """

    kind: ClassVar[Kind]
    template_fields: Sequence[str] = ("canonical", "download")
    operator_extra_links = (SourceLink(), TargetLink())
    ui_color = "#dcefdc"

    def __init__(self, *, canonical: str, download: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.canonical = canonical
        self.download = download
        self._stop: threading.Event | None = None
        self._progress: Progress | None = None
        self._copies_in: int | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the copy's outcome."""
        self._stop = threading.Event()
        self.log.info("%s to %s", self.canonical, self.download)
        tags = {"kind": str(self.kind), "target": self.target_host()}
        asset = {"kind": str(self.kind), "canonical": self.canonical, "download": self.download}
        with (
            measured(**tags),
            told_to_airflow(context, **asset),
            Progress(context) as self._progress,
        ):
            outcome = self._copy_until_killed(context)
        count_outcome(outcome, **tags)
        self._log_outcome(outcome)
        return outcome.to_dict()

    def _copy_until_killed(self, context: Context) -> Outcome:
        self._copies_in = threading.get_ident()
        try:
            return self.copy(context)
        except _Killed:
            raise StoppedError(f"{self.canonical}: stopped, because the task was killed") from None
        finally:
            self._copies_in = None

    def _log_outcome(self, outcome: Outcome) -> None:
        self.log.info("%s: %d bytes sent, %s", outcome.state, outcome.sent, outcome.content)
        if outcome.drift:
            self.log.warning(
                "%s stands for %s by now; what was planned is copied", self.canonical, outcome.drift
            )

    def copy(self, context: Context) -> Outcome:
        """Copy the asset unless it is there."""
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
        """Count the bytes of a chunk; raise StoppedError once the task was killed."""
        if self._stop and self._stop.is_set():
            raise StoppedError(f"{self.canonical}: stopped, because the task was killed")
        if self._progress:
            self._progress.add(size)

    def written_elsewhere(self) -> dict[str, str]:
        """Return prefixes of download URLs, and where what belongs under them is written."""
        return {}

    def target_host(self) -> str:
        """Return the target's registry or bucket, for metrics."""
        from kops_assets_provider.mirror.lineage import dataset

        try:
            return dataset(self.kind, self.download, self.written_elsewhere()).host
        except KopsAssetsError:
            return "unknown"  # the copy itself says what is wrong

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any | None:
        """Tell OpenLineage from where to where this copies, if it asks."""
        try:
            elsewhere = self.written_elsewhere()
        except KopsAssetsError:
            return None
        return copy_lineage(self.kind, self.canonical, self.download, elsewhere)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> Any | None:
        """Tell OpenLineage from where to where this was to copy."""
        return self.get_openlineage_facets_on_complete(task_instance)


class KopsCopyImageOperator(_CopyOperator, RegistriesOperator):
    """
    Copy an image unless the target has it. Returns the outcome.

    :param canonical: the image's name upstream. (templated)
    :param download: the name under which the cluster's nodes pull it. (templated)
    :param digest: what to copy, whatever the tag stands for by now; None to ask first. (templated)
    :param mounts: a repository of the target's registry to beginnings of the digests of blobs that
        it has, or will have soon. (templated)
    :param wanted: beginnings of the digests of blobs that other images wait for. (templated)
    :param has: likewise, of blobs that the target has of another image under the same tag.
        (templated)
    :param leaders: a repository of ``mounts`` to the map indexes of the tasks that upload to it.
        (templated)

    The other parameters are those of ``RegistriesOperator``.
    """

    kind = Kind.IMAGE
    template_fields: Sequence[str] = (
        *_CopyOperator.template_fields,
        "digest",
        "mounts",
        "wanted",
        "leaders",
        "has",
        *RegistriesOperator.template_fields,
    )

    def __init__(
        self,
        *,
        digest: str | None = None,
        mounts: Mapping[str, Sequence[str]] | None = None,
        wanted: Sequence[str] = (),
        leaders: Mapping[str, Sequence[int]] | None = None,
        has: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.digest = digest
        self.mounts = mounts
        self.wanted = wanted
        self.leaders = leaders
        self.has = has

    def copy(self, context: Context) -> Outcome:
        """Copy the image unless it is there."""
        from kops_assets_provider.mirror.images import copy_planned_image
        from kops_assets_provider.mirror.planned_image import PlannedImage

        planned = PlannedImage(
            *(self.canonical, self.download, self.digest, self.mounts or {}, tuple(self.wanted)),
            leaders=self.leaders or {},
            has=tuple(self.has),
        )
        return copy_planned_image(
            *(planned, self.registries(), self.rules()),
            is_coming=partial(self.is_running, context["ti"]),
            on_chunk=self.on_chunk,
        )

    def is_running(self, ti: Any, repository: str) -> bool:
        """Tell whether a task runs that uploads to ``repository`` what this one will mount."""
        return any(
            TaskInstanceState.RUNNING in states.values()
            for index in (self.leaders or {}).get(repository, ())
            for states in ti.get_task_states(
                dag_id=ti.dag_id, task_ids=[ti.task_id], map_index=index, run_ids=[ti.run_id]
            ).values()
        )


class KopsCopyFileOperator(_CopyOperator, FileStoresOperator):
    """
    Copy a file, and its SHA-256 beside it, unless the target has it. Returns the outcome.

    :param canonical: the file's URL upstream. (templated)
    :param download: the URL from which the cluster's nodes download it. (templated)
    :param sha: its SHA-256, 64 hex digits. (templated)
    :param source_rewrites: prefixes of canonical URLs, and where those are really fetched.
        (templated)
    :param deep: read what is there, whatever its store says of it. (templated)

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
        sha: str,
        source_rewrites: Mapping[str, str] | str | None = None,
        deep: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sha = sha
        self.source_rewrites = source_rewrites
        self.deep = deep

    def copy(self, context: Context) -> Outcome:
        """Copy the file unless it is there."""
        from kops_assets_provider.kops.assets import FileAsset
        from kops_assets_provider.mirror.files import copy_file_asset

        asset = FileAsset(self.canonical, self.download, self.sha)
        rewrites = as_mapping("source_rewrites", self.source_rewrites)
        deep = as_flag("deep", self.deep)
        return copy_file_asset(asset, self.file_stores(), rewrites, self.on_chunk, deep=deep)

    def written_elsewhere(self) -> dict[str, str]:
        """Return ``file_targets``; raises InvalidInputError."""
        return as_mapping("file_targets", self.file_targets)
