"""Credentials go to their own host and its declared token hosts, nowhere else."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from urllib.parse import parse_qs

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    NotFoundError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.manifest import parse_manifest
from kops_assets_provider.oci.remote import RemoteRepository
from tests.copies import copy_between
from tests.support.images import ImageKind, make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth

SECRET = "canary-password"
LOGIN = Login(username="robot", password=SECRET, name="connection my_registry")


def repository(server, login=LOGIN, side=Side.TARGET):
    return RemoteRepository(RegistryClient(HttpClient(), server.url, login, side), "kops/app")


def authorizations(server):
    return [x.headers.get("Authorization") for x in server.requests]


@pytest.fixture
def evil():
    """A host that takes down what it is sent."""
    with OciRegistryServer() as server:
        yield server


def test_a_token_is_fetched_once_for_many_requests():
    """One token for each registry and repository while it is valid."""
    image = make_image("app")
    auth = TokenAuth("robot", SECRET)
    with OciRegistryServer() as source, OciRegistryServer(auth=auth) as target:
        put_image(source, "app/app:1", image)
        registries = Registries(
            lambda host: RegistryEndpoint(
                url=f"http://{host}", login=LOGIN if host == target.host else None
            )
        )
        copy_between(
            *registries.source(f"{source.host}/app/app:1"),
            *registries.target(f"{target.host}/kops/app:1"),
        )
        assert target.count(path_regex="^/token") == 1


def test_a_token_is_renewed_before_it_ends():
    """A token that lives for a second is not used for longer."""
    auth = TokenAuth("robot", SECRET, expires_in=1)
    with OciRegistryServer(auth=auth) as server:
        target = repository(server)
        assert target.resolve("1") is None
        auth.expire_all()
        assert target.resolve("1") is None
        assert server.count(path_regex="^/token") == 2


def test_a_wrong_password_says_which_connection():
    """Whoever reads the message knows what to change; the password is not in it."""
    with (
        OciRegistryServer(auth=BasicAuth("robot", "another")) as server,
        pytest.raises(AccessDeniedError) as caught,
    ):
        repository(server).resolve("1")
    assert "connection my_registry is refused, or needs push rights" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_registry_that_wants_a_login_says_so():
    """Without credentials the message says that they are missing."""
    with (
        OciRegistryServer(auth=BasicAuth("robot", SECRET)) as server,
        pytest.raises(AccessDeniedError, match="no credentials are set for this registry"),
    ):
        repository(server, login=None, side=Side.SOURCE).resolve("1")


def test_a_denied_push_is_permanent():
    """403 is not retried."""
    with OciRegistryServer() as server:
        server.inject(Fault("HEAD", status=403, body=b'{"errors":[{"code":"DENIED"}]}'))
        with pytest.raises(AccessDeniedError, match=r"^target 127.*403"):
            repository(server).resolve("1")


def test_a_login_is_not_sent_to_a_realm_elsewhere(registry, evil):
    """The realm is the server's choice; the password is not."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{evil.url}/token",service="x"'}
    registry.inject(Fault(status=401, headers=challenge, times=None))
    with pytest.raises(UntrustedServerError, match="token hosts of connection my_registry"):
        repository(registry).resolve("1")
    assert evil.requests == []


def test_a_declared_token_host_gets_the_login(registry, evil):
    """The user may say where else the login belongs."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{evil.url}/token",service="x"'}
    registry.inject(Fault(status=401, headers=challenge))
    evil.inject(Fault(path="^/token", status=200, body=b'{"token":"abc"}'))
    login = Login(username="robot", password=SECRET, token_hosts=frozenset({evil.host}))
    assert repository(registry, login).resolve("1") is None
    assert authorizations(evil)[0].startswith("Basic ")
    assert authorizations(registry) == [None, "Bearer abc"]


@pytest.mark.parametrize(
    "realm",
    [
        "http://169.254.169.254/latest",
        "https://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/token",
        "http://example.com/token",
        "https://user:pw@127.0.0.1/token",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_insecure_or_inward_realm_is_not_asked(registry, realm):
    """Not even without a login: a request itself can do harm inside."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}
    registry.inject(Fault(status=401, headers=challenge))
    with pytest.raises(UntrustedServerError):
        repository(registry, login=None).resolve("1")
    assert len(registry.requests) == 1


@pytest.mark.parametrize("token", [b"{}", b"[]", b'{"token":"a\\r\\nX: y"}', b'{"token":7}', b"<"])
def test_what_is_no_token_is_refused(registry, token):
    """A token becomes a header: a line break in it would become another one."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'}
    registry.inject(Fault(path="^/v2", status=401, headers=challenge))
    registry.inject(Fault(path="^/token", status=200, body=token))
    with pytest.raises(UntrustedServerError, match="not a token"):
        repository(registry).resolve("1")


def test_a_blob_redirect_does_not_carry_the_token(evil):
    """Registries redirect to storage; the credentials stay at home."""
    image = make_image("app")
    digest = next(iter(image.blobs))
    with OciRegistryServer(auth=BasicAuth("robot", SECRET)) as server:
        put_image(server, "kops/app:1", image)
        source = repository(server, side=Side.SOURCE)
        manifest = source.fetch_manifest(next(iter(image.manifests)))
        server.inject(Fault("GET", "/blobs/", status=307, headers={"Location": f"{evil.url}/x"}))
        blob = next(x for x in manifest.blobs if x.digest == digest)
        with pytest.raises(NotFoundError), source.open_blob(blob):
            pass
    assert authorizations(evil) == [None]


def test_an_upload_elsewhere_does_not_carry_the_token(evil):
    """A registry may send the upload to its storage, and our credentials not with it."""
    image = make_image("app", platforms=["linux/amd64"])
    with (
        OciRegistryServer() as source,
        OciRegistryServer(auth=BasicAuth("robot", SECRET)) as server,
    ):
        put_image(source, "app/app:1", image)
        server.inject(
            Fault(
                "POST", status=202, headers={"Location": f"{evil.url}/up?x=1"}, times=None, skip=1
            )
        )
        registries = Registries(
            lambda host: RegistryEndpoint(
                url=f"http://{host}", login=LOGIN if host == server.host else None
            )
        )
        with pytest.raises(NotFoundError):
            copy_between(
                *registries.source(f"{source.host}/app/app:1"),
                *registries.target(f"{server.host}/kops/app:1"),
            )
    assert evil.count("PUT") >= 1
    assert set(authorizations(evil)) == {None}


@pytest.mark.parametrize("location", ["http://169.254.169.254/x", "ftp://x/", ""])
def test_an_upload_is_not_sent_inward(registry, location):
    """A Location that leads to metadata, or nowhere, is refused."""
    blob = make_image("app").blobs
    put_image(registry, "kops/app:1", make_image("app"))
    manifest = repository(registry).fetch_manifest(next(iter(make_image("app").manifests)))
    registry.inject(Fault("POST", status=202, headers={"Location": location}))
    with pytest.raises(UntrustedServerError):
        repository(registry).push_blob(manifest.blobs[0], lambda: iter([blob]))


def test_a_login_does_not_show_itself():
    """Neither printing nor logging an object tells a secret."""
    assert SECRET not in repr(LOGIN)
    assert SECRET not in repr(RegistryEndpoint(url="https://h", login=LOGIN))


def test_a_challenge_of_the_storage_is_not_the_registrys(evil):
    """What a blob's redirect target asks for is not asked of the registry's token server."""
    image = make_image("app")
    auth = TokenAuth("robot", SECRET)
    challenge = {"WWW-Authenticate": f'Bearer realm="{evil.url}/token",service="x"'}
    with OciRegistryServer(auth=auth) as server:
        put_image(server, "kops/app:1", image)
        source = repository(server, side=Side.SOURCE)
        manifest = source.fetch_manifest(next(iter(image.manifests)))
        evil.inject(Fault("GET", "/x$", status=401, headers=challenge, times=None))
        server.inject(
            Fault("GET", "/blobs/", status=307, headers={"Location": f"{evil.url}/x"}, times=None)
        )
        with pytest.raises(AccessDeniedError), source.open_blob(manifest.blobs[0]):
            pass
        assert source.resolve("1") == image.digest
    assert evil.count(path_regex="token") == 0


@pytest.mark.parametrize(
    "order",
    [
        'Bearer realm="{url}/token",service="s", Basic realm="x"',
        'Basic realm="x", Bearer realm="{url}/token",service="s"',
        'bearer Service=s , Realm = "{url}/token"',
        'Basic realm="x, Bearer realm=y", Bearer error="a \\"b\\"", realm="{url}/token",service=s',
        'Bearer error="invalid_token", Bearer realm="{url}/token",service="s"',
    ],
)
def test_of_two_challenges_the_token_is_taken(registry, order):
    """A registry may offer both; their parameters do not mix."""
    header = {"WWW-Authenticate": order.format(url=registry.url)}
    registry.inject(Fault(path="^/v2", status=401, headers=header))
    registry.inject(Fault(path="^/token", status=200, body=b'{"token":"abc"}'))
    assert repository(registry).resolve("1") is None
    assert authorizations(registry)[-1] == "Bearer abc"
    assert parse_qs(registry.requests[1].query)["service"] == ["s"]


def test_a_bearer_challenge_without_a_realm_does_not_hide_the_other(registry):
    """There is nowhere to ask for a token, and the registry takes the password as well."""
    header = {"WWW-Authenticate": 'Bearer error="invalid_token", Basic realm="x"'}
    registry.inject(Fault(path="^/v2", status=401, headers=header))
    assert repository(registry).resolve("1") is None
    assert authorizations(registry)[-1].startswith("Basic ")


def test_a_long_challenge_costs_no_time(registry):
    """Row upon row of letters: what a hostile registry can send in one header."""
    header = {"WWW-Authenticate": "a " * 30_000}
    registry.inject(Fault(path="^/v2", status=401, headers=header))
    started = time.process_time()
    with pytest.raises(AccessDeniedError):
        repository(registry).resolve("1")
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    "token",
    [
        '{"token":"abc"}'.encode("utf-16"),
        '{"token":"abc"}'.encode("utf-16-le"),
        b'\xef\xbb\xbf{"token":"abc"}',
        b'{"token":"abc","token":"def"}',
        b'{"token":"abc","expires_in":' + b"9" * 5000 + b"}",
    ],
)
def test_a_token_answer_is_json_in_utf_8(registry, token):
    """Without a byte order mark, with each key once (RFC 8259, section 8.1)."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'}
    registry.inject(Fault(path="^/v2", status=401, headers=challenge))
    registry.inject(Fault(path="^/token", status=200, body=token))
    with pytest.raises(UntrustedServerError, match="not a token"):
        repository(registry).resolve("1")


def test_a_token_that_ends_in_mid_copy_is_transient():
    """The next try gets another one: it is no question of rights."""
    image = make_image("app", kind=ImageKind.OCI_MANIFEST)
    with OciRegistryServer(auth=TokenAuth("robot", SECRET)) as server:
        target = repository(server)
        blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
        server.inject(Fault("PUT", "/uploads/", status=401))

        def body(_):
            return nullcontext(iter([image.blobs[blob.digest]]))

        with pytest.raises(ServerFailedError, match="401"):
            target.push_blob(blob, body)
        assert target.push_blob(blob, body)


def test_scopes_do_not_wait_for_each_other():
    """A slow token server holds up only what needs its token."""
    with OciRegistryServer(auth=TokenAuth("robot", SECRET)) as server:
        client = RegistryClient(HttpClient(), server.url, LOGIN, Side.TARGET)
        assert RemoteRepository(client, "a").resolve("1") is None
        server.inject(Fault(path="^/token", delay=4, times=None))
        with ThreadPoolExecutor(8) as pool:
            started = time.monotonic()
            slow = [pool.submit(RemoteRepository(client, f"b{i}").resolve, "1") for i in range(6)]
            assert RemoteRepository(client, "a").resolve("1") is None
            assert time.monotonic() - started < 3
            assert {x.result() for x in slow} == {None}
            assert time.monotonic() - started < 15
