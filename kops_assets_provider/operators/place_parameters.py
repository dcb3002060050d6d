"""Where images and files come from and go to: the parameters that planning and copying share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from kops_assets_provider.airflow_versions import mask_secret
from kops_assets_provider.logs import CleanLogger, get_logger, keep_secrets_out
from kops_assets_provider.options import copy_options
from kops_assets_provider.redaction import remember_urls_in

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.fleet import FleetList
    from kops_assets_provider.mirror.model.asset_list import AssetList
    from kops_assets_provider.mirror.places.file_stores import FileStores
    from kops_assets_provider.mirror.places.registries import Registries
    from kops_assets_provider.mirror.plan.image_policy import ImageRules
    from kops_assets_provider.mirror.plan.known_assets import Known
    from kops_assets_provider.mirror.record.record import MirrorRecord

__all__ = ["FileStoresOperator", "RegistriesOperator"]


class CleanOperator(BaseOperator):
    """An operator that shows no secret of its parameters, and no control character of others."""

    @property
    def log(self) -> CleanLogger:  # type: ignore[override]  # it has all that is called of a Logger
        """The task's log."""
        return get_logger(f"{type(self).__module__}.{type(self).__name__}")

    def _do_render_template_fields(
        self, parent: Any, template_fields: Iterable[str], *args: Any, **kwargs: Any
    ) -> None:
        # Before the rendering, for Airflow logs the field that it cannot render; and after it, for
        # the rendered fields, which everybody sees who may see the DAG.
        keep_secrets_out()
        fields = tuple(template_fields)
        _mask(parent, fields)
        super()._do_render_template_fields(parent, fields, *args, **kwargs)
        _mask(parent, fields)


def _mask(operator: Any, fields: Iterable[str]) -> None:
    """Let Airflow hide the secrets in the URLs of an operator's fields, and hide them ourselves."""
    for secret in remember_urls_in([getattr(operator, x, None) for x in fields]):
        mask_secret(secret)


class _CloudOperator(CleanOperator):
    """
    An operator that may use the AWS and Google connections.

    :param aws_conn_id: the Airflow connection for ECR and S3; None, in JSON ``null``, for boto3's
        default credentials. (templated)
    :param gcp_conn_id: the Airflow connection for Google's registries and Cloud Storage; None, in
        JSON ``null``, for Google's default credentials. (templated)
    """

    template_fields: Sequence[str] = ("aws_conn_id", "gcp_conn_id")

    def __init__(
        self,
        *,
        aws_conn_id: str | None = "aws_default",
        gcp_conn_id: str | None = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.gcp_conn_id = gcp_conn_id

    def cloud_conn_ids(self) -> tuple[str | None, str | None]:
        """Return the ids of the connections."""
        return (
            copy_options.AWS_CONN_ID.read(self.aws_conn_id),
            copy_options.GCP_CONN_ID.read(self.gcp_conn_id),
        )


class RegistriesOperator(_CloudOperator):
    """
    An operator that speaks to registries.

    :param registry_conn_ids: credentials for registries. Hosts of registries, each with its
        ``oci_registry`` connection. ECR's and Google's registries use the AWS and Google
        connections without an entry; all others are anonymous. (templated)
    :param source_rewrites: prefixes of canonical names and URLs, each with the place that these are
        really fetched from, such as a pull-through cache. Names and hashes stay the same.
        (templated)
    :param platforms: platforms to copy of each image, such as ``linux/amd64``; by default all. An
        image that nodes pull by its digest is copied with all of them. (templated)
    :param warm: hosts of pull-through caches, which refuse pushes: images are read through them, so
        that they have them before a node asks. (templated)
    :param warm_days: after how many days an image is read through its cache again; by default 7.
        (templated)
    :param ecr_repositories: create repositories in ECR that do not exist yet. How to create them:
        ``{}`` for ECR's defaults. (templated)
    :param on_drift: what to do with an asset that has changed at the source under the same name:
        ``fail`` (the default), ``keep`` the target's image, or ``take`` the source's version. A
        file cannot be kept. (templated)
    """

    template_fields: Sequence[str] = (
        "registry_conn_ids",
        "source_rewrites",
        "platforms",
        "warm",
        "warm_days",
        "ecr_repositories",
        "on_drift",
        *_CloudOperator.template_fields,
    )

    def __init__(
        self,
        *,
        registry_conn_ids: Mapping[str, str] | str | None = None,
        source_rewrites: Mapping[str, str] | str | None = None,
        platforms: Sequence[str] | str | None = None,
        warm: Sequence[str] | str | None = None,
        warm_days: float | str | None = None,
        ecr_repositories: Mapping[str, Any] | str | None = None,
        on_drift: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.registry_conn_ids = registry_conn_ids
        self.source_rewrites = source_rewrites
        self.platforms = platforms
        self.warm = warm
        self.warm_days = warm_days
        self.ecr_repositories = ecr_repositories
        self.on_drift = on_drift

    def rules(self, immutable_tags: Sequence[str] = ()) -> ImageRules:
        """Return what to copy of the images; raises InvalidInputError."""
        from kops_assets_provider.mirror.plan.drift import OnDrift
        from kops_assets_provider.mirror.plan.image_policy import ImageRules

        return ImageRules(
            platforms=copy_options.PLATFORMS.read(self.platforms),
            immutable_tags=tuple(immutable_tags),
            warm=copy_options.WARM.read(self.warm),
            warm_days=copy_options.WARM_DAYS.read(self.warm_days),
            on_drift=OnDrift(copy_options.ON_DRIFT.read(self.on_drift)),
        )

    def registries(self) -> Registries:
        """Open the registries."""
        from kops_assets_provider.hooks.registries import open_registries

        return open_registries(
            copy_options.REGISTRY_CONN_IDS.read(self.registry_conn_ids),
            copy_options.SOURCE_REWRITES.read(self.source_rewrites),
            *self.cloud_conn_ids(),
            copy_options.ECR_REPOSITORIES.read(self.ecr_repositories),
        )


class FileStoresOperator(_CloudOperator):
    """
    An operator that speaks to file repositories.

    :param file_targets: prefixes of download URLs, each with the place to write to:
        ``s3://bucket/prefix``, ``gs://bucket/prefix`` or a directory. S3's and Google's own URLs
        need no entry. (templated)
    :param bucket_owner: the AWS account that buckets in S3 must belong to; the bucket of another
        account is refused. (templated)
    :param s3_options: how objects are stored in S3: ``server_side_encryption``, ``kms_key``,
        ``acl``, ``storage_class``. (templated)
    :param gcs_options: how objects are stored in Google Cloud Storage: ``kms_key``,
        ``predefined_acl``, ``user_project``. (templated)
    """

    template_fields: Sequence[str] = (
        "file_targets",
        "bucket_owner",
        "s3_options",
        "gcs_options",
        *_CloudOperator.template_fields,
    )

    def __init__(
        self,
        *,
        file_targets: Mapping[str, str] | str | None = None,
        bucket_owner: str | None = None,
        s3_options: Mapping[str, Any] | str | None = None,
        gcs_options: Mapping[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.file_targets = file_targets
        self.bucket_owner = bucket_owner
        self.s3_options = s3_options
        self.gcs_options = gcs_options

    def file_stores(self) -> FileStores:
        """Open the file repositories."""
        from kops_assets_provider.hooks.file_repository import open_file_stores
        from kops_assets_provider.mirror.places.object_options import read_store_options

        targets = copy_options.FILE_TARGETS.read(self.file_targets)
        options = read_store_options(
            copy_options.S3_OPTIONS.read(self.s3_options),
            copy_options.GCS_OPTIONS.read(self.gcs_options),
            copy_options.BUCKET_OWNER.read(self.bucket_owner),
        )
        return open_file_stores(targets, *self.cloud_conn_ids(), options)

    def known(self, listed: AssetList | FleetList, record_url: str | None) -> Known:
        """
        Return what the records of the clusters' mirrors know; none is read yet.

        Without them more is asked, and caches are read through again.
        """
        from kops_assets_provider.mirror.lists.fleet import lists_of
        from kops_assets_provider.mirror.plan.known_assets import Known
        from kops_assets_provider.mirror.record.store import find_record

        stores, place = cache(self.file_stores), copy_options.RECORD_URL.read(record_url)

        def read(one: AssetList) -> MirrorRecord | None:
            return find_record(one, stores(), place)

        return Known(*(partial(read, one) for one in lists_of(listed)))
