"""The contract of repositories, kept by all of ours and by a real registry."""

from collections.abc import Iterator

import pytest

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.remote import RemoteRepository
from tests.support.components import docker_registry
from tests.support.memory_registry import MemoryRegistry, MemoryRepository
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth
from tests.support.registry.quirks import Quirks
from tests.support.repository_contract import RepositoryContract

LOGIN = Login(username="robot", password="canary-password")


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
