"""Who may speak to which registry, with what rights, and where an image is really fetched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.urls import is_loopback
from kops_assets_provider.mirror.rewrites import rewrite
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.reference import DOCKER_HUB, Reference
from kops_assets_provider.oci.remote import RemoteRepository

_API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class RegistryEndpoint:
    """
    How to reach a registry.

    :param url: its base URL.
    :param login: its credentials; anonymous without.
    :param ca_file: PEM file of the authorities to trust for it instead of the system's.
    """

    url: str
    login: Login | None = field(default=None)
    ca_file: str | None = None

    def open(self, side: Side, http: HttpClient | None = None) -> RegistryClient:
        """Return a client for it."""
        http = http or HttpClient(ca_file=self.ca_file)
        return RegistryClient(http, self.url, self.login, side)


def default_url(host: str) -> str:
    """Return a registry's base URL: HTTPS, and plain HTTP for one on loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    scheme = "http" if is_loopback(name) else "https"
    return f"{scheme}://{_API_HOSTS.get(host, host)}"


def anonymous(host: str) -> RegistryEndpoint:
    """Return the endpoint of a registry that asks nobody who they are."""
    return RegistryEndpoint(default_url(host))


class Registries:
    """
    Opens repositories. One object for each task or command: it keeps connections and tokens.

    :param endpoint_for: tells how to reach a registry, by its host as references spell it.
    :param source_rewrites: prefixes of canonical names, and where those are really fetched.
    """

    def __init__(
        self,
        endpoint_for: Callable[[str], RegistryEndpoint] = anonymous,
        source_rewrites: Mapping[str, str] | None = None,
    ) -> None:
        self._endpoint_for = endpoint_for
        self._rewrites = source_rewrites or {}
        self._lock = threading.Lock()
        self._https: dict[str | None, HttpClient] = {}
        self._clients: dict[tuple[str, Side], RegistryClient] = {}

    def source(self, canonical: str) -> tuple[RemoteRepository, Reference]:
        """Open the repository that ``canonical`` is copied from, and name the image in it."""
        # Rewrites are written for whole names: Docker Hub's short ones are spelt out first.
        name = rewrite(str(Reference.parse(canonical)), self._rewrites)
        return self._open(Reference.parse(name), Side.SOURCE)

    def target(self, download: str) -> tuple[RemoteRepository, Reference]:
        """Open the repository that ``download`` names, to write to it."""
        return self._open(Reference.parse(download), Side.TARGET)

    def _open(self, reference: Reference, side: Side) -> tuple[RemoteRepository, Reference]:
        client = self._client(reference.registry, side)
        return RemoteRepository(client, reference.repository), reference

    def _client(self, host: str, side: Side) -> RegistryClient:
        with self._lock:
            if (host, side) not in self._clients:
                endpoint = self._endpoint_for(host)
                self._clients[host, side] = endpoint.open(side, self._http(endpoint.ca_file))
            return self._clients[host, side]

    def _http(self, ca_file: str | None) -> HttpClient:
        if ca_file not in self._https:
            self._https[ca_file] = HttpClient(ca_file=ca_file)
        return self._https[ca_file]
