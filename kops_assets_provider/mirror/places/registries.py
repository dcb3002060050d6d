"""Who may speak to which registry, with what rights, and where an image is really fetched."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial

from kops_assets_provider.exceptions import KopsAssetsError, Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.urls import is_loopback
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.places.rewrites import rewrite
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.profile import GENERIC, Profile
from kops_assets_provider.oci.reference import DOCKER_HUB, Reference
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.request_limits import Limits

_API_HOSTS = {DOCKER_HUB: "registry-1.docker.io"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What registries must have in common to share an ``HttpClient``; see its parameters."""

    ca_file: str | None
    proxy: str | None = field(repr=False)
    client_cert: str | None
    client_key: str | None

    def open(self) -> HttpClient:
        """Return a new client."""
        return HttpClient(**asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEndpoint:
    """
    How to reach a registry.

    :param url: its base URL.
    :param login: its credentials; anonymous without.
    :param ca_file: PEM file of the authorities to trust for it instead of the system's.
    :param profile: what is particular to it as a target.
    :param proxy: URL of the proxy to it instead of the environment's; it may have a password.
    :param client_cert: PEM file of the certificate to show to it.
    :param client_key: PEM file of the certificate's key, if it is another one.
    :param limits: how much may be asked of it at a time.
    """

    url: str
    login: Login | None = field(default=None)
    ca_file: str | None = None
    profile: Profile = GENERIC
    proxy: str | None = field(default=None, repr=False)
    client_cert: str | None = None
    client_key: str | None = None
    limits: Limits | None = field(default=None, compare=False)

    @property
    def way(self) -> Way:
        """How connections to it are made."""
        return Way(
            ca_file=self.ca_file,
            proxy=self.proxy,
            client_cert=self.client_cert,
            client_key=self.client_key,
        )

    def open(self, side: Side, http: HttpClient | None = None) -> RegistryClient:
        """Return a client for it."""
        # Source and target apart, or one would wait for what the other waits with.
        limits = self.limits.fork() if self.limits else None
        return RegistryClient(http or self.way.open(), self.url, self.login, side, limits)


def default_url(host: str) -> str:
    """Return a registry's base URL: HTTPS, and plain HTTP for one on loopback."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    scheme = "http" if is_loopback(name) else "https"
    return f"{scheme}://{_API_HOSTS.get(host, host)}"


def anonymous(host: str) -> RegistryEndpoint:
    """Return the endpoint of a registry that asks nobody who they are."""
    return RegistryEndpoint(url=default_url(host))


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
        self._endpoints: dict[str, RegistryEndpoint] = {}
        self._https: dict[tuple[Way, Side], HttpClient] = {}
        self._clients: dict[tuple[str, Side], tuple[RegistryClient, Profile]] = {}

    def source(self, canonical: str) -> tuple[RemoteRepository, Reference]:
        """Open the repository that ``canonical`` is copied from, and name the image in it."""
        # Rewrites are written for whole names: Docker Hub's short ones are spelt out first.
        name = rewrite(str(Reference.parse(canonical)), self._rewrites)
        return self._open(Reference.parse(name), Side.SOURCE)

    def target(self, download: str) -> tuple[RemoteRepository, Reference]:
        """Open the repository that ``download`` names, to write to it."""
        return self._open(Reference.parse(download), Side.TARGET)

    def target_url(self, download: str) -> str:
        """Return the base URL of the registry that ``download`` names; sends nothing."""
        repository, _ = self.target(download)
        return repository.registry.url

    @property
    def aborts(self) -> tuple[Callable[[], None], Callable[[], None]]:
        """What breaks all connections: to the sources, and then to the targets."""
        return partial(self.abort, Side.SOURCE), partial(self.abort, Side.TARGET)

    def abort(self, side: Side) -> None:
        """Break all connections to one side, also those that other threads wait for."""
        with self._lock:
            https = [http for (_, its_side), http in self._https.items() if its_side is side]
        for http in https:
            http.abort()

    def cache(self, download: str) -> tuple[RemoteRepository, Reference]:
        """Open the repository that ``download`` names, to read through it as nodes do."""
        return self._open(Reference.parse(download), Side.TARGET, pull_only=True)

    def expect(self, assets: Iterable[ImageAsset], mount_from: Iterable[str] = ()) -> None:
        """
        Get ready for several images: a registry that gives tokens is asked for one for them all.

        :param mount_from: repositories of the target's registry that blobs are mounted from.
        """
        scopes: dict[RegistryClient, set[str]] = defaultdict(set)
        for asset in assets:
            # Whatever is wrong with a name or a connection, the image's own copy will tell.
            with suppress(KopsAssetsError):
                source, _ = self.source(asset.canonical)
                scopes[source.registry].add(source.scope)
            with suppress(KopsAssetsError):
                target, _ = self.target(asset.download)
                mounts = {f"repository:{x}:pull" for x in mount_from}
                scopes[target.registry] |= {target.scope, *mounts}
        for client, expected in scopes.items():
            client.expect(expected)

    def _open(
        self, reference: Reference, side: Side, *, pull_only: bool = False
    ) -> tuple[RemoteRepository, Reference]:
        client, profile = self._client(reference.registry, side)
        name = reference.repository
        return RemoteRepository(client, name, profile, pull_only=pull_only), reference

    def _client(self, host: str, side: Side) -> tuple[RegistryClient, Profile]:
        with self._lock:
            if (host, side) not in self._clients:
                endpoint = self._endpoint(host)
                client = endpoint.open(side, self._http(endpoint.way, side))
                self._clients[host, side] = client, endpoint.profile
            return self._clients[host, side]

    def _endpoint(self, host: str) -> RegistryEndpoint:
        # Asked for once, or a registry that is source and target would get its limits twice.
        if host not in self._endpoints:
            self._endpoints[host] = self._endpoint_for(host)
        return self._endpoints[host]

    def _http(self, way: Way, side: Side) -> HttpClient:
        # Apart, so that one can be aborted while the other still cancels what was begun.
        if (way, side) not in self._https:
            self._https[way, side] = way.open()
        return self._https[way, side]
