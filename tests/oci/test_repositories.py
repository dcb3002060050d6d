"""The contract of repositories, kept by all of ours and by a real registry."""

from collections.abc import Iterator

import pytest

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.memory import MemoryRegistry, MemoryRepository
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.testing.components import docker_registry
from kops_assets_provider.testing.oci_registry import OciRegistryServer
from kops_assets_provider.testing.registry.auth import BasicAuth, TokenAuth
from kops_assets_provider.testing.registry.quirks import Quirks
from kops_assets_provider.testing.repository_contract import RepositoryContract

LOGIN = Login("robot", "canary-password")


def remote(url: str, login: Login | None = None) -> RemoteRepository:
    return RemoteRepository(RegistryClient(HttpClient(), url, login, Side.TARGET), "kops/pause")


class RemoteContract(RepositoryContract):
    @pytest.fixture
    def sibling(self, repository: RemoteRepository) -> RemoteRepository:
        return RemoteRepository(repository.registry, "kops/other")


class TestMemoryRepository(RepositoryContract):
    @pytest.fixture
    def repository(self) -> MemoryRepository:
        return MemoryRegistry()["kops/pause"]

    @pytest.fixture
    def sibling(self, repository: MemoryRepository) -> MemoryRepository:
        return repository.registry["kops/other"]


class TestAnonymousRegistry(RemoteContract):
    @pytest.fixture
    def repository(self, registry: OciRegistryServer) -> RemoteRepository:
        return remote(registry.url)


class TestRegistryWithoutDigestHeader(RemoteContract):
    @pytest.fixture
    def repository(self) -> Iterator[RemoteRepository]:
        with OciRegistryServer(quirks=Quirks(omit_digest_header=True)) as server:
            yield remote(server.url)


class TestRegistryWithBasicAuth(RemoteContract):
    @pytest.fixture
    def repository(self) -> Iterator[RemoteRepository]:
        with OciRegistryServer(auth=BasicAuth(LOGIN.username, LOGIN.password)) as server:
            yield remote(server.url, LOGIN)


class TestRegistryWithTokens(RemoteContract):
    @pytest.fixture
    def repository(self) -> Iterator[RemoteRepository]:
        with OciRegistryServer(auth=TokenAuth(LOGIN.username, LOGIN.password)) as server:
            yield remote(server.url, LOGIN)


@pytest.mark.component
class TestDockerRegistry(RemoteContract):
    @pytest.fixture
    def repository(self, tmp_path) -> Iterator[RemoteRepository]:
        with docker_registry(tmp_path) as server:
            yield remote(server.url)


@pytest.mark.component
class TestDockerRegistryWithPassword(RemoteContract):
    @pytest.fixture
    def repository(self, tmp_path) -> Iterator[RemoteRepository]:
        with docker_registry(tmp_path, credentials=(LOGIN.username, LOGIN.password)) as server:
            yield remote(server.url, LOGIN)
