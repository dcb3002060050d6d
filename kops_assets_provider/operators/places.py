"""Where images and files come from and go to: the parameters that planning and copying share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator

from kops_assets_provider.hooks.file_repository import open_file_stores
from kops_assets_provider.hooks.registries import open_registries
from kops_assets_provider.mirror.files import FileStores
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.operators.values import as_mapping, as_optional


class _CloudOperator(BaseOperator):
    """
    An operator that may use the AWS and Google connections.

    :param source_rewrites: prefixes of canonical names and URLs, and where those are really
        fetched. (templated)
    :param aws_conn_id: connection for ECR and S3; None for boto3's default credentials. (templated)
    :param gcp_conn_id: connection for Google's registries and Cloud Storage. (templated)
    """

    template_fields: Sequence[str] = ("source_rewrites", "aws_conn_id", "gcp_conn_id")

    def __init__(
        self,
        *,
        source_rewrites: Mapping[str, str] | str | None = None,
        aws_conn_id: str | None = "aws_default",
        gcp_conn_id: str = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source_rewrites = source_rewrites
        self.aws_conn_id = aws_conn_id
        self.gcp_conn_id = gcp_conn_id

    def rewrites(self) -> dict[str, str]:
        """Return the source rewrites."""
        return as_mapping("source_rewrites", self.source_rewrites)


class RegistriesOperator(_CloudOperator):
    """
    An operator that speaks to registries.

    :param registry_conn_ids: a registry's host to an ``oci_registry`` connection. Hosts of ECR and
        Google without an entry use the AWS and Google connections; all others are anonymous.
        (templated)
    """

    template_fields: Sequence[str] = ("registry_conn_ids", *_CloudOperator.template_fields)

    def __init__(
        self, *, registry_conn_ids: Mapping[str, str] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.registry_conn_ids = registry_conn_ids

    def registries(self) -> Registries:
        """Open the registries."""
        return open_registries(
            as_mapping("registry_conn_ids", self.registry_conn_ids),
            self.rewrites(),
            as_optional(self.aws_conn_id),
            self.gcp_conn_id,
        )


class FileStoresOperator(_CloudOperator):
    """
    An operator that speaks to file repositories.

    :param file_targets: prefixes of download URLs, and where to write what belongs under them:
        ``s3://bucket/prefix``, ``gs://bucket/prefix`` or a directory. Without an entry S3's and
        Google's own URLs are understood as kOps does. (templated)
    """

    template_fields: Sequence[str] = ("file_targets", *_CloudOperator.template_fields)

    def __init__(
        self, *, file_targets: Mapping[str, str] | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.file_targets = file_targets

    def file_stores(self) -> FileStores:
        """Open the file repositories."""
        targets = as_mapping("file_targets", self.file_targets)
        return open_file_stores(targets, as_optional(self.aws_conn_id), self.gcp_conn_id)
