"""Whether a mirror is whole: asked, and nothing written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.operators.cluster_status import Done, leave_standing
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator, RegistriesOperator
from kops_assets_provider.operators.plan import LISTED
from kops_assets_provider.operators.report import REPORT_KEY
from kops_assets_provider.operators.values import as_flag, as_mapping, as_names, as_optional

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.model.asset_list import AssetList
    from kops_assets_provider.mirror.report.report import Report


class KopsCheckAssetsOperator(FileStoresOperator, RegistriesOperator):
    """
    Ask how every asset stands at the target, and fail if one is missing or wrong.

    Nothing is written, neither assets nor the mirror's record. The report is under the XCom key
    ``report``, also when something is missing.

    :param assets: what ``KopsGetAssetsOperator`` returned. (templated)
    :param immutable_tags: beginnings of canonical names whose tags never move. (templated)
    :param record_url: where the mirror's record is, if not beside the files. (templated)
    :param deep: read every file, whatever its store says of it. (templated)
    :param check_downloads: ask the download URL of each file without credentials, as nodes do.
        (templated)

    The other parameters are those of ``RegistriesOperator`` and ``FileStoresOperator``.
    """

    template_fields: Sequence[str] = (
        "assets",
        "immutable_tags",
        "record_url",
        "deep",
        "check_downloads",
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
        deep: bool | str = False,
        check_downloads: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.assets = assets
        self.immutable_tags = immutable_tags
        self.record_url = record_url
        self.deep = deep
        self.check_downloads = check_downloads

    def execute(self, context: Context) -> None:
        """Check, and fail if anything is missing."""
        from kops_assets_provider.mirror.model.asset_list import AssetList

        with translate_errors(context):
            listed = AssetList.from_dict(self.assets, LISTED)
            report = self.check(listed)
            self.log.lines(logging.INFO, report.summary(), report.to_table())
            context["ti"].xcom_push(key=REPORT_KEY, value=report.to_dict())
            leave_standing(context["ti"], Done.CHECK, report, listed.kops_version)
            report.raise_for_missing()

    def check(self, listed: AssetList) -> Report:
        """Ask the targets."""
        from kops_assets_provider.mirror.run.mirror import Mirror

        mirror = Mirror(
            self.registries(),
            self.file_stores(),
            self.rules(as_names("immutable_tags", self.immutable_tags)),
            as_mapping("source_rewrites", self.source_rewrites),
            as_optional(self.record_url),
            deep=as_flag("deep", self.deep),
            check_downloads=as_flag("check_downloads", self.check_downloads),
        )
        return mirror.check(listed)
