"""Logins for the registries of AWS and Google, from Airflow's own connections to them."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from airflow.sdk.log import mask_secret

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    KopsAssetsError,
    RateLimitedError,
    ServerFailedError,
)
from kops_assets_provider.oci.auth import Login

log = logging.getLogger(__name__)

# 123456789012.dkr.ecr.eu-west-1.amazonaws.com, also -fips and China's .com.cn
_ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
)
_GOOGLE = re.compile(r"(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev")


def cloud_login(host: str, aws_conn_id: str | None, gcp_conn_id: str) -> Login | None:
    """
    Return the login for ``host`` if it is one of Amazon's or Google's private registries.

    Without any cloud credentials the registry is spoken to anonymously: some repositories in these
    registries are public, and the registry itself says best which are not.
    """
    if ecr := _ECR.fullmatch(host):
        return _ecr_login(ecr["account"], ecr["region"], aws_conn_id)
    if _GOOGLE.fullmatch(host):
        return _google_login(gcp_conn_id)
    return None


def _ecr_login(account: str, region: str, aws_conn_id: str | None) -> Login | None:
    from airflow.providers.amazon.aws.hooks.ecr import EcrHook
    from botocore import exceptions as boto

    where = f"the ECR of account {account} in {region}"
    name = f"connection {aws_conn_id}" if aws_conn_id else "the default AWS credentials"
    hook: Any = EcrHook(aws_conn_id=aws_conn_id, region_name=region)  # type: ignore[no-untyped-call]  # Amazon's
    try:
        (found,) = hook.get_temporary_credentials(registry_ids=account)
    except boto.NoCredentialsError:
        log.info("no AWS credentials, so %s is spoken to anonymously", where)
        return None
    except boto.ClientError as err:
        raise _ecr_error(err.response, where, name) from err
    except (boto.ConnectionError, boto.HTTPClientError) as err:
        raise ConnectionFailedError(f"{where} cannot be reached: {type(err).__name__}") from err
    except boto.BotoCoreError as err:
        raise AccessDeniedError(f"{where} gives no token: {err}; see {name}") from err
    return Login(found.username, found.password, name=name)


def _ecr_error(response: Mapping[str, Any], where: str, name: str) -> KopsAssetsError:
    code = str(response.get("Error", {}).get("Code", "an error"))
    message = f"{where} gives no token: {code}"
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if "Throttl" in code or code == "TooManyRequestsException":
        return RateLimitedError(message)
    if status >= 500:
        return ServerFailedError(message)
    return AccessDeniedError(f"{message}; {name} needs ecr:GetAuthorizationToken")


def _google_login(gcp_conn_id: str) -> Login | None:
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from google.auth.exceptions import DefaultCredentialsError, RefreshError, TransportError
    from google.auth.transport.requests import Request

    name = f"connection {gcp_conn_id}"
    try:
        credentials: Any = GoogleBaseHook(gcp_conn_id=gcp_conn_id).get_credentials()
        credentials.refresh(Request())
    except (AirflowNotFoundException, DefaultCredentialsError):
        log.info("no Google credentials, so Google's registries are spoken to anonymously")
        return None
    except RefreshError as err:
        raise AccessDeniedError(f"Google gives no token for {name}: see its key") from err
    except TransportError as err:
        raise ConnectionFailedError(f"Google's token server cannot be reached: {name}") from err
    mask_secret(credentials.token)
    # https://cloud.google.com/artifact-registry/docs/docker/authentication#token
    return Login("oauth2accesstoken", credentials.token, name=name)
