"""The registries of a list, each with the credentials that belong to it."""

from __future__ import annotations

from collections.abc import Mapping

from kops_assets_provider.hooks.cloud_logins import cloud_login
from kops_assets_provider.hooks.oci_registry import OciRegistryHook
from kops_assets_provider.mirror.registries import Registries, RegistryEndpoint, default_url


def open_registries(
    registry_conn_ids: Mapping[str, str],
    source_rewrites: Mapping[str, str],
    aws_conn_id: str | None,
    gcp_conn_id: str,
) -> Registries:
    """
    Open the registries of a list.

    :param registry_conn_ids: a registry's host, as references spell it, to an ``oci_registry``
        connection. ECR and Google hosts without an entry use the AWS and Google connections, all
        others are spoken to anonymously.
    :param source_rewrites: prefixes of canonical names, and where those are really fetched.
    """

    def endpoint(host: str) -> RegistryEndpoint:
        if host in registry_conn_ids:
            return OciRegistryHook(registry_conn_ids[host]).get_conn()
        return RegistryEndpoint(default_url(host), cloud_login(host, aws_conn_id, gcp_conn_id))

    return Registries(endpoint, source_rewrites)
