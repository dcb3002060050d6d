"""A login that ends is renewed shortly before, once for all threads, and never shown."""

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kops_assets_provider.exceptions import ConnectionFailedError, Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import Login, RegistryAuth
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.remote import RemoteRepository
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth


class Clock:
    """Stands still until it is set."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Cloud:
    """Gives logins that live for some seconds: AWS-1, AWS-2, ..."""

    def __init__(self, life, clock=time.monotonic):
        self.life, self.clock, self.given = life, clock, 0

    def login(self):
        self.given += 1
        ends = self.clock() + self.life
        return Login(
            username="AWS", password=f"canary-{self.given}", expires_at=ends, renew=self.login
        )


def auth_of(login, clock):
    auth = RegistryAuth(HttpClient(), "https://registry.test", login, Side.TARGET, clock)
    auth.accept_challenge(['Basic realm="registry"'], "")
    return auth


def test_a_login_is_renewed_two_minutes_before_it_ends():
    """Not at each request, and not when it is too late."""
    clock = Clock()
    cloud = Cloud(3600, clock)
    auth = auth_of(cloud.login(), clock)
    first = auth.headers("")
    clock.now += 3479
    assert auth.headers("") == first
    assert cloud.given == 1
    clock.now += 2
    assert auth.headers("") != first
    assert auth.headers("") == auth.headers("")
    assert cloud.given == 2


def test_a_short_login_is_renewed_at_half_its_life():
    """Two minutes before its end would be before it began."""
    clock = Clock()
    cloud = Cloud(60, clock)
    auth = auth_of(cloud.login(), clock)
    clock.now += 29
    auth.headers("")
    assert cloud.given == 1
    clock.now += 2
    auth.headers("")
    assert cloud.given == 2


def test_a_login_without_an_end_is_kept():
    """A password from a connection, or one that nobody can renew."""
    clock = Clock()
    for login in (
        Login(username="robot", password="p", renew=lambda: None),
        Login(username="robot", password="p", expires_at=1.0),
    ):
        auth = auth_of(login, clock)
        first = auth.headers("")
        clock.now += 1e9
        assert auth.headers("") == first


def test_many_threads_renew_once():
    """Whoever comes meanwhile waits for the new one."""
    clock = Clock()
    cloud = Cloud(3600, clock)

    def slow():
        time.sleep(0.05)
        return cloud.login()

    auth = auth_of(replace(cloud.login(), renew=slow), clock)
    clock.now += 3600
    with ThreadPoolExecutor(8) as pool:
        headers = list(pool.map(lambda _: auth.headers("")["Authorization"], range(8)))
    assert cloud.given == 2
    assert len(set(headers)) == 1


@pytest.mark.parametrize("kind", [BasicAuth, TokenAuth])
def test_a_registry_gets_the_new_password(kind):
    """With each request, or for its token; the old one, which has ended, is not even tried."""
    cloud = Cloud(3600)
    ended = replace(cloud.login(), expires_at=time.monotonic() - 1)
    with OciRegistryServer(auth=kind("AWS", "canary-2")) as server:
        client = RegistryClient(HttpClient(), server.url, ended, Side.TARGET)
        assert RemoteRepository(client, "kops/app").resolve("1") is None
        sent = {x.headers.get("Authorization") for x in server.requests}
    assert cloud.given == 2
    assert f"Basic {base64.b64encode(b'AWS:canary-1').decode()}" not in sent


def test_a_renewal_that_fails_is_told_and_tried_again():
    """The next request asks once more."""
    clock = Clock()
    cloud = Cloud(3600, clock)
    answers = iter([ConnectionFailedError("the cloud is down"), None])

    def renew():
        if error := next(answers):
            raise error
        return cloud.login()

    auth = auth_of(replace(cloud.login(), renew=renew), clock)
    clock.now += 3600
    with pytest.raises(ConnectionFailedError):
        auth.headers("")
    assert auth.headers("")
    assert cloud.given == 2


def test_neither_password_nor_renewal_is_shown():
    """A repr ends up in a log."""
    assert "canary" not in repr(Cloud(60).login())
    assert "renew" not in repr(Cloud(60).login())
