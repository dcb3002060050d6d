"""File repositories behind Airflow's AWS and Google connections, or in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseHook

from kops_assets_provider.airflow_versions import AirflowNotFoundException
from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.gcs import GCSOptions, GCSStore
from kops_assets_provider.files.s3 import S3Options, S3Store
from kops_assets_provider.files.s3_requests import s3_http_client, signing_config
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.hooks.aws import aws_client, aws_hook
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.object_options import StoreOptions

__all__ = ["GCSFileRepositoryHook", "S3FileRepositoryHook"]


class S3FileRepositoryHook(BaseHook):
    """
    A file repository in S3, or in a server that speaks as S3 does (``endpoint_url``).

    :param aws_conn_id: an AWS connection; None for boto3's default credentials.
    """

    conn_name_attr = "aws_conn_id"
    default_conn_name = "aws_default"
    conn_type = "aws"
    hook_name = "kOps file repository in S3"

    def __init__(self, aws_conn_id: str | None = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def get_client(self, region: str | None = None) -> tuple[Any, str | None]:
        """Return a boto3 client, and the file of the authorities it trusts, if not the system's."""
        hook = aws_hook("s3", self.aws_conn_id, region)
        client = aws_client(hook, signing_config(hook.conn_config.botocore_config))
        return client, hook.verify if isinstance(hook.verify, str) else None

    def get_store(
        self, bucket: str, region: str | None = None, options: S3Options | None = None
    ) -> S3Store:
        """Return the store of a bucket; its region is the connection's if it is not given."""
        client, ca_file = self.get_client(region)
        return S3Store(client, s3_http_client(client, ca_file), bucket, options)


class GCSFileRepositoryHook(BaseHook):
    """
    A file repository in Google Cloud Storage.

    :param gcp_conn_id: a Google Cloud connection; None for Google's default credentials, such as
        those of Workload Identity, which are also taken if the default connection is not defined.
    """

    conn_name_attr = "gcp_conn_id"
    default_conn_name = "google_cloud_default"
    conn_type = "google_cloud_platform"
    hook_name = "kOps file repository in Google Cloud Storage"

    def __init__(self, gcp_conn_id: str | None = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gcp_conn_id = gcp_conn_id

    def get_client(self) -> Any:
        """Return a ``google.cloud.storage.Client``."""
        from airflow.providers.google.cloud.hooks.gcs import GCSHook
        from google.auth.exceptions import DefaultCredentialsError

        from kops_assets_provider.mirror.places.state.places import default_gcs_client

        where = f"connection {self.gcp_conn_id}" if self.gcp_conn_id else "no connection"
        try:
            if self.gcp_conn_id is None:
                return default_gcs_client()
            return GCSHook(gcp_conn_id=self.gcp_conn_id).get_conn()
        except AirflowNotFoundException as err:
            if self.gcp_conn_id == self.default_conn_name:
                return type(self)(None).get_client()
            raise InvalidInputError(where, ["it is not defined"]) from err
        except DefaultCredentialsError as err:
            message = f"{where}, and no default credentials for Google Cloud Storage"
            raise AccessDeniedError(message) from err

    def get_store(self, bucket: str, options: GCSOptions | None = None) -> GCSStore:
        """Return the store of a bucket."""
        return GCSStore(self.get_client(), HttpClient(), bucket, options)


def open_file_stores(
    file_targets: Mapping[str, str],
    aws_conn_id: str | None,
    gcp_conn_id: str | None,
    options: StoreOptions | None = None,
) -> FileStores:
    """Open the file repositories of a list; see ``FileStoresOperator`` for the parameters."""
    options = options or StoreOptions()

    def s3(target: FileTarget) -> S3Store:
        return S3FileRepositoryHook(aws_conn_id).get_store(target.root, target.region, options.s3)

    def gcs(target: FileTarget) -> GCSStore:
        return GCSFileRepositoryHook(gcp_conn_id).get_store(target.root, options.gcs)

    def directory(target: FileTarget) -> DirectoryStore:
        return DirectoryStore(target.root)

    return FileStores({Scheme.S3: s3, Scheme.GS: gcs, Scheme.FILE: directory}, file_targets)
