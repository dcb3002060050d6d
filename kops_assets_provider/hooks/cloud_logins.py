"""What Airflow's connections to AWS and Google give for the registries of those."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from kops_assets_provider.airflow_versions import (
    AirflowException,
    AirflowNotFoundException,
    mask_secret,
)
from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.hooks.aws import aws_client, aws_hook
from kops_assets_provider.mirror.places.cloud_registries import (
    Ecr,
    default_google,
    google_login,
    is_google,
)
from kops_assets_provider.oci.auth import Login


def ecr_at(host: str, aws_conn_id: str | None) -> Ecr | None:
    """Return the registry in ECR that is at ``host``, with the rights of an AWS connection."""
    name = f"connection {aws_conn_id}" if aws_conn_id else "the default AWS credentials"
    return Ecr.at(host, partial(_ecr_client, aws_conn_id), name)


def cloud_login(host: str, ecr: Ecr | None, gcp_conn_id: str | None) -> Login | None:
    """
    Return the login for ``host`` if it is one of Amazon's or Google's private registries.

    Without any cloud credentials the registry is spoken to anonymously: some repositories in these
    registries are public, and the registry itself says best which are not.
    """
    if ecr:
        return _masked(ecr.login())
    if is_google(host):
        name = f"connection {gcp_conn_id}" if gcp_conn_id else "Google's default credentials"
        return _masked(google_login(partial(_google_credentials, gcp_conn_id, name), name))
    return None


def _masked(login: Login | None) -> Login | None:
    """Hide the password from Airflow's logs, and each one that it is renewed to."""
    return login and _with_mask(login)


def _with_mask(login: Login) -> Login:
    mask_secret(login.password)
    renew = login.renew
    return replace(login, renew=lambda: _with_mask(renew())) if renew else login


def _ecr_client(aws_conn_id: str | None, region: str) -> Any:
    return aws_client(aws_hook("ecr", aws_conn_id, region))


def _google_credentials(gcp_conn_id: str | None, name: str) -> Any:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook

    if gcp_conn_id is None:
        return default_google()
    try:
        return GoogleBaseHook(gcp_conn_id=gcp_conn_id).get_credentials()
    except AirflowNotFoundException:
        # As with Amazon's: a pod or an instance may have credentials without any connection.
        return default_google()
    except AirflowException as err:
        raise InvalidInputError(name, [str(err)]) from err
