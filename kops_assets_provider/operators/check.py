"""Whether a mirror is whole: asked, and nothing written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.operators.cluster_status import RunKind, push_cluster_status
from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator, RegistriesOperator
from kops_assets_provider.operators.plan import LISTED
from kops_assets_provider.operators.report import REPORT_KEY
from kops_assets_provider.options import copy_options

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.model.asset_list import AssetList
    from kops_assets_provider.mirror.report.report import Report

__all__ = ["KopsCheckAssetsOperator"]


class KopsCheckAssetsOperator(FileStoresOperator, RegistriesOperator):
    """
    Ask how every asset stands at the target, and fail if one is missing or wrong.

    Nothing is written, neither assets nor the mirror's record. The report is under the XCom key
    ``report``, also when something is missing.

    :param assets: what ``KopsGetAssetsOperator`` returned. (templated)
    :param immutable_tags: prefixes of canonical names whose tags never move, such as
        ``registry.k8s.io``: the source is not asked about images that the target has. No effect
        together with ``platforms``. (templated)
    :param record_url: where the mirror's record is kept, if not beside the files: ``s3://…``,
        ``gs://…`` or a directory. (templated)
    :param deep: read every file at the target again and hash it, even if its store keeps a hash of
        it. (templated)
    :param check_downloads: request the download URL of each file without credentials, as nodes do.
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
            push_cluster_status(context["ti"], RunKind.CHECK, report, listed.kops_version)
            report.raise_for_missing()

    def check(self, listed: AssetList) -> Report:
        """Ask the targets."""
        from kops_assets_provider.mirror.run.mirror import Mirror

        mirror = Mirror(
            registries=self.registries(),
            stores=self.file_stores(),
            rules=self.rules(copy_options.IMMUTABLE_TAGS.read(self.immutable_tags)),
            source_rewrites=copy_options.SOURCE_REWRITES.read(self.source_rewrites),
            record_url=copy_options.RECORD_URL.read(self.record_url),
            deep=copy_options.DEEP.read(self.deep),
            check_downloads=copy_options.CHECK_DOWNLOADS.read(self.check_downloads),
        )
        return mirror.check(listed)
