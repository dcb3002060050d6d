"""Clients of AWS' services with the rights of an Airflow connection."""

from __future__ import annotations

from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.redaction import remember


def aws_hook(service: str, aws_conn_id: str | None, region: str | None) -> Any:
    """Return Airflow's hook; raises InvalidInputError if it would verify no server."""
    # Its base alone: the hook of a service brings what only that one's own methods need.
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    hook: Any = AwsGenericHook(aws_conn_id=aws_conn_id, region_name=region, client_type=service)
    own = hook.conn_config
    # They are never sent, but a server that speaks as S3 does knows them.
    remember(*filter(None, (own.aws_secret_access_key, own.aws_session_token)))
    if hook.verify is False:
        name = f"connection {aws_conn_id}" if aws_conn_id else "the default AWS credentials"
        problem = "verify is false; name a file with the server's authority instead"
        raise InvalidInputError(name, [problem])
    return hook


def aws_client(hook: Any, config: Any = None) -> Any:
    """
    Return the boto3 client that the hook would make, without the name of who calls in its headers.

    To find that name the hook looks up the source of every frame on the stack, and with it every
    module: in a task that takes longer than all of boto3 to import.

    :param config: botocore's; by default the connection's.
    """
    service = hook.client_type
    return hook.get_session(region_name=hook.region_name).client(
        service,
        endpoint_url=hook.conn_config.get_service_endpoint_url(service),
        config=config or hook.config,
        verify=hook.verify,
    )
