"""State stores, and kops itself, with the rights of Airflow's AWS and Google connections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from kops_assets_provider.airflow_versions import (
    AirflowException,
    AirflowNotFoundException,
    mask_secret,
)
from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.hooks.file_repository import GCSFileRepositoryHook, S3FileRepositoryHook
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.places.state.s3 import s3_told

# What kops may know of the worker's environment: what every program needs, and what kops reads. Not
# Airflow's own, which has its database and its connections in it.
_SHARED = {"HOME", "KUBECONFIG", "LANG", "NO_PROXY", "PATH", "TMPDIR", "no_proxy"}
_SHARED_PREFIXES = (
    *("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy", "https_proxy", "http_proxy"),
    *("AWS_", "AZURE_", "CLOUDSDK_", "DIGITALOCEAN_", "GOOGLE_", "HCLOUD_", "KOPS_", "LINODE_"),
    *("OS_", "S3_", "SCW_", "SPOTINST_", "SSL_CERT_", "XDG_"),
)
# Whatever says who somebody is to AWS, or where that is written. Two owners must not be mixed.
_AWS_IDENTITY = (
    *("AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
)


def open_state_stores(aws_conn_id: str | None, gcp_conn_id: str | None) -> StateStores:
    """Return what opens state stores; a connection is asked for when a place needs it."""

    def s3() -> Any:
        return S3FileRepositoryHook(aws_conn_id).get_client()[0]

    def gcs() -> Any:
        return GCSFileRepositoryHook(gcp_conn_id).get_client()

    return StateStores(s3, gcs)


@contextmanager
def kops_environment(
    aws_conn_id: str | None, gcp_conn_id: str | None
) -> Iterator[Mapping[str, str]]:
    """
    Give the environment to run kops with: credentials from the connections, little else.

    A connection that has no credentials, or is not defined, leaves what the worker's own
    environment says. Keys replace the worker's identity at AWS; its region, endpoints and the like
    stay where the connection has none. A key file that must be written is gone at the end.
    """
    own = {k: v for k, v in os.environ.items() if k in _SHARED or k.startswith(_SHARED_PREFIXES)}
    aws = _aws_environment(aws_conn_id)
    if "AWS_ACCESS_KEY_ID" in aws:
        own = {k: v for k, v in own.items() if not k.startswith(_AWS_IDENTITY)}
    with ExitStack() as until_it_ends:
        yield own | aws | _google_environment(gcp_conn_id, until_it_ends)


def _aws_environment(aws_conn_id: str | None) -> dict[str, str]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.exceptions import NoCredentialsError

    hook = S3Hook(aws_conn_id=aws_conn_id)
    with s3_told(f"connection {aws_conn_id}", "sts:AssumeRole for its role"):
        session: Any = hook.get_session()
        found = session.get_credentials()
        try:
            keys = found.get_frozen_credentials() if found else None
        except NoCredentialsError:
            keys = None
    endpoint = hook.conn_config.get_service_endpoint_url("s3")
    # The session knows the region of a profile as well.
    region = hook.region_name or session.region_name
    values = {"AWS_REGION": region, "AWS_ENDPOINT_URL_S3": endpoint}
    if isinstance(hook.verify, str):
        values["AWS_CA_BUNDLE"] = hook.verify
    if keys:
        values |= {
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            # An empty one, or the credentials of two owners would be mixed.
            "AWS_SESSION_TOKEN": keys.token or "",
        }
        for secret in filter(None, (keys.secret_key, keys.token)):
            mask_secret(secret)
    return {name: value for name, value in values.items() if value is not None}


def _google_environment(gcp_conn_id: str | None, until_it_ends: ExitStack) -> dict[str, str]:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    if gcp_conn_id is None:
        return {}

    try:
        hook = GoogleBaseHook(gcp_conn_id=gcp_conn_id)
        key = until_it_ends.enter_context(hook.provide_gcp_credential_file_as_context())
    except AirflowNotFoundException:
        return {}
    except AirflowException as err:
        raise InvalidInputError(f"connection {gcp_conn_id}", [str(err)]) from err
    return {"GOOGLE_APPLICATION_CREDENTIALS": key} if key else {}
