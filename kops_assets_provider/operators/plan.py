"""What must be copied."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.airflow_versions import conf
from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.model.asset import Kind, PlanError, Problem
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator, RegistriesOperator
from kops_assets_provider.options import copy_options

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.fleet import FleetList
    from kops_assets_provider.mirror.model.asset_list import AssetList
    from kops_assets_provider.mirror.places.file_stores import FileStores
    from kops_assets_provider.mirror.places.target_conflicts import Write
    from kops_assets_provider.mirror.plan.plan import Plan

__all__ = ["KopsPlanFilesOperator", "KopsPlanImagesOperator"]

OUTCOMES_KEY = "outcomes"
ESTIMATES_KEY = "estimates"
LISTED = "XCom given as assets"


class _PlanOperator(FileStoresOperator):
    """Ask targets what they have; the classes below it describe the parameters."""

    template_fields: Sequence[str] = (
        "assets",
        "record_url",
        "plan_only",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#fdf3d1"

    def __init__(
        self,
        *,
        assets: Any,
        record_url: str | None = None,
        plan_only: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assets = assets
        self.record_url = record_url
        self.plan_only = plan_only

    def listed(self) -> AssetList | FleetList:
        """Return the list that is planned for."""
        from kops_assets_provider.mirror.lists.fleet import read_listed

        return read_listed(self.assets, LISTED)

    def publish(
        self, context: Context, plan: Plan[Any], to_dict: Callable[[Any], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Push what is known of the assets, and return what the copies are mapped over."""
        only_told = copy_options.DRY_RUN.read(self.plan_only)
        refuse_too_many("the plan", plan.to_copy)
        settled = [*plan.settled, *(plan.ahead if only_told else ())]
        context["ti"].xcom_push(key=OUTCOMES_KEY, value=[x.to_dict() for x in settled])
        context["ti"].xcom_push(key=ESTIMATES_KEY, value=[x.to_dict() for x in plan.ahead])
        self.log.info("%d to copy, %d need nothing", len(plan.to_copy), len(plan.settled))
        return [] if only_told else [to_dict(x) for x in plan.to_copy]


class KopsPlanImagesOperator(_PlanOperator, RegistriesOperator):
    """
    Ask the target registry which images it has.

    Returns a list with an element for each image that must be copied: map a
    ``KopsCopyImageOperator`` over it with ``expand(asset=…)``. The outcomes of all other images
    go to the XCom key ``outcomes``, and estimates of the copies to ``estimates``.

    :param assets: what ``KopsGetAssetsOperator`` or ``KopsGetFleetAssetsOperator`` returned.
        (templated)
    :param immutable_tags: prefixes of canonical names whose tags never move, such as
        ``registry.k8s.io``: the source is not asked about images that the target has. No effect
        together with ``platforms``. (templated)
    :param record_url: where the mirror's record is kept, if not beside the files: ``s3://…``,
        ``gs://…`` or a directory. It says which images pull-through caches have, and what was
        copied. (templated)
    :param plan_only: copy nothing: report what a copy would do, why, and what it would take.
        Nothing is returned, and the images that would be copied are in ``outcomes``, with the bytes
        and requests that they would take. (templated)

    The other parameters are those of ``RegistriesOperator`` and ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "immutable_tags",
        *RegistriesOperator.template_fields,
        *_PlanOperator.template_fields,
    )

    def __init__(self, *, immutable_tags: Sequence[str] | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.immutable_tags = immutable_tags

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        from kops_assets_provider.mirror.plan.images import plan_images
        from kops_assets_provider.mirror.plan.planned_image import PlannedImage

        with translate_errors(context, partial(_plan_error, Kind.IMAGE)):
            listed = self.listed()
            rules = self.rules(copy_options.IMMUTABLE_TAGS.read(self.immutable_tags))
            plan = plan_images(
                listed.assets.images,
                self.registries(),
                rules,
                self.known(listed, self.record_url),
                measure_savings=copy_options.DRY_RUN.read(self.plan_only),
                each_alone=listed.is_group,
            )
            return self.publish(context, plan, PlannedImage.to_dict)


class KopsPlanFilesOperator(_PlanOperator):
    """
    Ask the target store which files it has, by looking at the files themselves.

    Returns a list with an element for each file that must be copied: map a
    ``KopsCopyFileOperator`` over it with ``expand(asset=…)``. The outcomes of all other files
    go to the XCom key ``outcomes``, and estimates of the copies to ``estimates``.

    The log says of each file that must be copied why: missing, truncated, another file, or its
    side-car is not right.

    :param assets: what ``KopsGetAssetsOperator`` or ``KopsGetFleetAssetsOperator`` returned.
        (templated)
    :param deep: read every file at the target again and hash it, even if its store keeps a hash of
        it. The plan leaves that to the copies: it returns every file. (templated)
    :param on_drift: what to do with an asset that has changed at the source under the same name:
        ``fail`` (the default), ``keep`` the target's image, or ``take`` the source's version. A
        file cannot be kept. (templated)
    :param source_rewrites: prefixes of canonical names and URLs, each with the place that these are
        really fetched from, such as a pull-through cache. Names and hashes stay the same.
        (templated)
    :param record_url: where the mirror's record is kept, if not beside the files: ``s3://…``,
        ``gs://…`` or a directory. It says what was found when files were read whose store keeps no
        hash of them. (templated)
    :param report_url: where to write the report as a web page and as JSON, if anywhere: ``s3://…``,
        ``gs://…`` or a directory. An asset with the same target is refused. (templated)
    :param plan_only: copy nothing: report what a copy would do, why, and what it would take.
        Nothing is returned, and the files that would be copied are in ``outcomes``. (templated)

    The other parameters are those of ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "deep",
        "on_drift",
        "source_rewrites",
        "report_url",
        *_PlanOperator.template_fields,
    )

    def __init__(
        self,
        *,
        deep: bool | str = False,
        on_drift: str | None = None,
        source_rewrites: Mapping[str, str] | str | None = None,
        report_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deep = deep
        self.on_drift = on_drift
        self.source_rewrites = source_rewrites
        self.report_url = report_url

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        from kops_assets_provider.mirror.plan.drift import OnDrift
        from kops_assets_provider.mirror.plan.files import FileRules, plan_files
        from kops_assets_provider.mirror.plan.planned_file import planned_file_to_dict

        with translate_errors(context, partial(_plan_error, Kind.FILE)):
            listed = self.listed()
            rules = FileRules(
                deep=copy_options.DEEP.read(self.deep),
                on_drift=OnDrift(copy_options.ON_DRIFT.read(self.on_drift)),
                source_rewrites=copy_options.SOURCE_REWRITES.read(self.source_rewrites),
            )
            known = self.known(listed, self.record_url)
            stores = self.file_stores()
            plan = plan_files(
                listed.assets.files,
                stores,
                known,
                rules,
                documents=self.documents(listed, stores),
                each_alone=listed.is_group,
            )
            return self.publish(context, plan, planned_file_to_dict)

    def documents(self, listed: AssetList | FleetList, stores: FileStores) -> Iterable[Write]:
        """Return what the run writes beside the files."""
        from kops_assets_provider.mirror.lists.fleet import lists_of
        from kops_assets_provider.mirror.record.places import document_writes

        record_url = copy_options.RECORD_URL.read(self.record_url)
        report_url = copy_options.REPORT_URL.read(self.report_url)
        return document_writes(lists_of(listed), stores, record_url, report_url)


def _plan_error(kind: Kind, error: BaseException) -> dict[str, Any]:
    return PlanError(kind=kind, problem=Problem.of(error)).to_dict()


def refuse_too_many(where: str, mapped: Collection[Any]) -> None:
    """Raise InvalidInputError if Airflow would not map a task over so many."""
    most = conf.getint("core", "max_map_length")
    if len(mapped) > most:
        setting = "[core] max_map_length (AIRFLOW__CORE__MAX_MAP_LENGTH)"
        problem = f"{setting} is {most}, and a task is to be mapped over {len(mapped)}"
        raise InvalidInputError(where, [f"{problem}: set it higher"])
