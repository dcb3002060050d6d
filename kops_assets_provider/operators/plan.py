"""What must be copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator, Context, conf

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.files import plan_files
from kops_assets_provider.mirror.fleet import read_listed
from kops_assets_provider.mirror.images import plan_images
from kops_assets_provider.mirror.outcome import Kind
from kops_assets_provider.mirror.plan import Plan
from kops_assets_provider.operators.errors import told_to_airflow
from kops_assets_provider.operators.places import FileStoresOperator, RegistriesOperator
from kops_assets_provider.operators.values import as_flag, as_names

SETTLED_KEY = "settled"


class KopsPlanImagesOperator(FileStoresOperator, RegistriesOperator):
    """
    Ask the target registry which images it has.

    Returns the arguments of a ``KopsCopyImageOperator`` for each image that must be copied, to be
    mapped over with ``expand_kwargs``; the outcomes of all others go to the XCom key ``settled``.

    :param assets: what ``KopsGetAssetsOperator`` or ``KopsGetFleetAssetsOperator`` returned.
        (templated)
    :param immutable_tags: beginnings of canonical names whose tags never move: the source is not
        asked about those that the target has. (templated)
    :param record_url: where the mirror's record is, which tells what pull-through caches have;
        beside the cluster's file repository if it is not given. (templated)

    The other parameters are those of ``RegistriesOperator`` and ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "assets",
        "immutable_tags",
        "record_url",
        *RegistriesOperator.template_fields,
        *FileStoresOperator.template_fields,
    )
    ui_color = "#fdf3d1"

    def __init__(
        self,
        *,
        assets: Any,
        immutable_tags: Sequence[str] | str | None = None,
        record_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assets = assets
        self.immutable_tags = immutable_tags
        self.record_url = record_url

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        with told_to_airflow(context, kind=str(Kind.IMAGE)):
            listed = read_listed(self.assets)
            rules = self.rules(as_names("immutable_tags", self.immutable_tags))
            known = self.known(listed, self.record_url)
            plan = plan_images(listed.assets.images, self.registries(), rules, known)
            return _publish(self, context, plan, [x.to_dict() for x in plan.to_copy])


class KopsPlanFilesOperator(FileStoresOperator):
    """
    Ask the target store which files it has, by looking at the files themselves.

    Returns the arguments of a ``KopsCopyFileOperator`` for each file that must be copied, to be
    mapped over with ``expand_kwargs``; the outcomes of all others go to the XCom key ``settled``.

    The log says of each file that must be copied why: missing, truncated, another file, or its
    side-car is not right.

    :param assets: what ``KopsGetAssetsOperator`` or ``KopsGetFleetAssetsOperator`` returned.
        (templated)
    :param deep: leave every file to its copy, which then reads it. (templated)
    :param record_url: where the mirror's record is, which tells what was found when files were read
        that their store keeps no hash of; beside the cluster's file repository if it is not given.
        (templated)

    The other parameters are those of ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "assets",
        "deep",
        "record_url",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#fdf3d1"

    def __init__(
        self,
        *,
        assets: Any,
        deep: bool | str = False,
        record_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assets = assets
        self.deep = deep
        self.record_url = record_url

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        with told_to_airflow(context, kind=str(Kind.FILE)):
            listed = read_listed(self.assets)
            known = self.known(listed, self.record_url)
            deep = as_flag("deep", self.deep)
            plan = plan_files(listed.assets.files, self.file_stores(), known, deep=deep)
            return _publish(self, context, plan, [asdict(x) for x in plan.to_copy])


def _publish(
    operator: BaseOperator, context: Context, plan: Plan[Any], to_copy: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    _refuse_too_many(to_copy)
    context["ti"].xcom_push(key=SETTLED_KEY, value=[x.to_dict() for x in plan.settled])
    operator.log.info("%d to copy, %d need nothing", len(plan.to_copy), len(plan.settled))
    return to_copy


def _refuse_too_many(to_copy: Sequence[Any]) -> None:
    """Raise InvalidInputError if Airflow would not map that many copies."""
    most = conf.getint("core", "max_map_length")
    if len(to_copy) > most:
        problem = f"is {most}, and {len(to_copy)} copies are to be mapped: set it higher"
        where = "[core] max_map_length (AIRFLOW__CORE__MAX_MAP_LENGTH)"
        raise InvalidInputError(where, [problem])
