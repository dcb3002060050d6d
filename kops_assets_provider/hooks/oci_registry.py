"""An Airflow connection to an OCI registry."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from kops_assets_provider.exceptions import InvalidInputError, KopsAssetsError, Side
from kops_assets_provider.mirror.registries import RegistryEndpoint, default_url
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.reference import Reference


class OciRegistryHook(BaseHook):
    """
    Turn a connection of the type ``oci_registry`` into the way to reach a registry.

    :param oci_registry_conn_id: the connection's id. Host (and port) are the registry's, login and
        password are left empty for an anonymous one.
    """

    conn_name_attr = "oci_registry_conn_id"
    default_conn_name = "oci_registry_default"
    conn_type = "oci_registry"
    hook_name = "OCI registry"

    def __init__(self, oci_registry_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.oci_registry_conn_id = oci_registry_conn_id

    def get_conn(self) -> RegistryEndpoint:
        """
        Return how to reach the registry.

        :raises InvalidInputError: the connection says something wrong; the message has all of it.
        """
        try:
            connection = self.get_connection(self.oci_registry_conn_id)
        except AirflowNotFoundException as err:
            problem = "it is not defined: add it, with the type OCI registry"
            raise InvalidInputError(f"connection {self.oci_registry_conn_id}", [problem]) from err
        extra = connection.extra_dejson
        url = default_url(_host(connection))
        problems = [*_wrong_host(connection), *_wrong_scheme(url, extra.get("scheme"))]
        if connection.password and not connection.login:
            problems.append("it has a password and no user name")
        if problems:
            raise InvalidInputError(f"connection {connection.conn_id}", problems)
        if extra.get("scheme"):
            url = f"{extra['scheme']}://{url.partition('://')[2]}"
        return RegistryEndpoint(url, self._login(connection), extra.get("ca_file") or None)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the registry whether it lets us in."""
        try:
            endpoint = self.get_conn()
            endpoint.open(Side.TARGET).ping()
        except KopsAssetsError as err:
            return False, str(err)
        user = endpoint.login.username if endpoint.login else "an anonymous user"
        return True, f"{endpoint.url} answers to {user}"

    @staticmethod
    def _login(connection: Connection) -> Login | None:
        if not connection.login:
            return None
        password = connection.password or ""
        if password:
            mask_secret(password)
        hosts = str(connection.extra_dejson.get("token_hosts") or "")
        return Login(
            connection.login,
            password,
            frozenset(x.strip() for x in hosts.split(",") if x.strip()),
            name=f"connection {connection.conn_id}",
        )


def _host(connection: Connection) -> str:
    host = connection.host or ""
    return f"{host}:{connection.port}" if connection.port else host


def _wrong_host(connection: Connection) -> list[str]:
    host = _host(connection)
    try:
        right = bool(host) and Reference.parse(f"{host}/x").registry == host
    except KopsAssetsError:
        right = False
    return [] if right else [f"its host is {host!r}, expected one like registry.example.com"]


def _wrong_scheme(url: str, scheme: object) -> list[str]:
    if scheme not in (None, "", "http", "https"):
        return [f"its scheme is {scheme!r}, expected https"]
    if scheme == "http" and url.startswith("https:"):
        return ["its scheme is http, which is for registries on loopback alone"]
    return []
