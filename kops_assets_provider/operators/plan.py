"""What must be copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from airflow.sdk import BaseOperator, Context

from kops_assets_provider.mirror.files import plan_files
from kops_assets_provider.mirror.images import plan_images
from kops_assets_provider.mirror.lists import AssetList
from kops_assets_provider.mirror.outcome import Kind
from kops_assets_provider.mirror.plan import Plan
from kops_assets_provider.operators.errors import told_to_airflow
from kops_assets_provider.operators.places import FileStoresOperator, RegistriesOperator

SETTLED_KEY = "settled"


class KopsPlanImagesOperator(RegistriesOperator):
    """
    Ask the target registry which images it has.

    Returns the arguments of a ``KopsCopyImageOperator`` for each image that must be copied, to be
    mapped over with ``expand_kwargs``; the outcomes of all others go to the XCom key ``settled``.

    :param assets: what ``KopsGetAssetsOperator`` returned. (templated)

    The other parameters are those of ``RegistriesOperator``.
    """

    template_fields: Sequence[str] = ("assets", *RegistriesOperator.template_fields)
    ui_color = "#fdf3d1"

    def __init__(self, *, assets: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assets = assets

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        with told_to_airflow(context, kind=str(Kind.IMAGE)):
            assets = AssetList.from_dict(self.assets).assets
            return _publish(self, context, plan_images(assets.images, self.registries()))


class KopsPlanFilesOperator(FileStoresOperator):
    """
    Ask the target store which files it has, by looking at the files themselves.

    Returns the arguments of a ``KopsCopyFileOperator`` for each file that must be copied, to be
    mapped over with ``expand_kwargs``; the outcomes of all others go to the XCom key ``settled``.

    :param assets: what ``KopsGetAssetsOperator`` returned. (templated)

    The other parameters are those of ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = ("assets", *FileStoresOperator.template_fields)
    ui_color = "#fdf3d1"

    def __init__(self, *, assets: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.assets = assets

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Return what must be copied."""
        with told_to_airflow(context, kind=str(Kind.FILE)):
            assets = AssetList.from_dict(self.assets).assets
            return _publish(self, context, plan_files(assets.files, self.file_stores()))


def _publish(operator: BaseOperator, context: Context, plan: Plan[Any]) -> list[dict[str, Any]]:
    context["ti"].xcom_push(key=SETTLED_KEY, value=[x.to_dict() for x in plan.settled])
    operator.log.info("%d to copy, %d need nothing", len(plan.to_copy), len(plan.settled))
    return [asdict(x) for x in plan.to_copy]
