"""An Airflow connection to an OCI registry."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow.sdk import BaseHook, Connection

from kops_assets_provider.airflow_versions import AirflowNotFoundException, mask_secret
from kops_assets_provider.exceptions import InvalidInputError, KopsAssetsError, Side
from kops_assets_provider.http.urls import origin
from kops_assets_provider.mirror.places.registries import RegistryEndpoint, default_url
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.request_limits import Limits

__all__ = ["OciRegistryHook"]

_FILES = ("ca_file", "client_cert", "client_key")


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
        if problems := _problems(connection):
            raise InvalidInputError(f"connection {connection.conn_id}", problems)
        extra = connection.extra_dejson
        url = default_url(_host(connection))
        if extra.get("scheme"):
            url = f"{extra['scheme']}://{url.partition('://')[2]}"
        files: dict[str, Any] = {name: extra.get(name) or None for name in _FILES}
        proxy, limits = _proxy(extra), _limits(extra)
        return RegistryEndpoint(
            url=url, login=self._login(connection), proxy=proxy, limits=limits, **files
        )

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
            username=connection.login,
            password=password,
            token_hosts=frozenset(x.strip() for x in hosts.split(",") if x.strip()),
            name=f"connection {connection.conn_id}",
        )


def _problems(connection: Connection) -> list[str]:
    extra = connection.extra_dejson
    url = default_url(_host(connection))
    problems = [*_wrong_host(connection), *_wrong_scheme(url, extra.get("scheme"))]
    if connection.password and not connection.login:
        problems.append("it has a password and no user name")
    return [*problems, *_wrong_texts(extra), *_wrong_proxy(extra), *_wrong_limits(extra)]


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


def _wrong_texts(extra: Mapping[str, Any]) -> list[str]:
    names = [*_FILES, "token_hosts", "proxy"]
    problems = [f"its {x} is not text" for x in names if not isinstance(extra.get(x), str | None)]
    if extra.get("client_key") and not extra.get("client_cert"):
        problems.append("it has a client_key and no client_cert")
    return problems


def _wrong_proxy(extra: Mapping[str, Any]) -> list[str]:
    proxy = extra.get("proxy")
    if not proxy or not isinstance(proxy, str):
        return []
    try:
        origin(proxy)
        urlsplit(proxy)
    except ValueError:
        # Not what it is: that may be a user name and a password.
        return ["its proxy is no URL, expected one like http://proxy.example.com:3128"]
    return []


def _wrong_limits(extra: Mapping[str, Any]) -> list[str]:
    rate, at_once = extra.get("requests_per_second"), extra.get("concurrency")
    problems = []
    if not _is_empty(rate) and _positive(rate) is None:
        problems.append(f"its requests_per_second is {rate!r}, expected a number above 0")
    if not _is_empty(at_once) and not (_positive(at_once) or 0.5).is_integer():
        problems.append(f"its concurrency is {at_once!r}, expected a whole number above 0")
    return problems


def _positive(value: object) -> float | None:
    """Read a number, also from text as the form or a URI has it; None if it is not above 0."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 < number < math.inf else None


def _is_empty(value: object) -> bool:
    return value is None or value == ""


def _limits(extra: Mapping[str, Any]) -> Limits:
    at_once = _positive(extra.get("concurrency"))
    return Limits(_positive(extra.get("requests_per_second")), int(at_once) if at_once else None)


def _proxy(extra: Mapping[str, Any]) -> str | None:
    proxy = extra.get("proxy") or None
    password = urlsplit(proxy).password if proxy else None
    if password:
        # Both spellings: in a URL it may be quoted.
        mask_secret(password)
        mask_secret(unquote(password))
    return proxy


def _wrong_scheme(url: str, scheme: object) -> list[str]:
    if scheme not in (None, "", "http", "https"):
        return [f"its scheme is {scheme!r}, expected https"]
    if scheme == "http" and url.startswith("https:"):
        return ["its scheme is http, which is for registries on loopback alone"]
    return []
