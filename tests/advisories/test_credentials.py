"""Rows 1 to 3, 5 to 8, 16: credentials go to those whom the user meant, and to nobody else."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from urllib.parse import urljoin, urlsplit

import pytest
import requests
import urllib3

from kops_assets_provider.exceptions import NotFoundError, Side
from kops_assets_provider.http import address_checks, pools, trust, urls
from kops_assets_provider.http import client as http_client
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import RegistryAuth
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.manifest import parse_manifest
from kops_assets_provider.oci.remote import RemoteRepository
from tests.support.connect_proxy import ConnectProxy
from tests.support.http_server import Response
from tests.support.images import put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth

SECRET = "canary-password"


def bearer(realm):
    return {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}


def trusts_all(patch):
    """Turn off every check of where a server leads us."""
    patch.setattr(RegistryAuth, "_check_realm", lambda self, realm: None)
    patch.setattr(http_client, "lead", urljoin)
    patch.setattr(address_checks, "check_address", lambda *_: None)


def keeps_credentials(patch):
    patch.setattr(http_client, "_BOUND_TO_ORIGIN", frozenset())


def takes_all_for_ours(patch):
    patch.setattr(RegistryClient, "_is_ours", lambda self, url: True)


# --- rows 1 and 2: foreign layers


def test_a_layer_elsewhere_is_not_asked_for(
    defended, attempt, evil, open_repository, login, guarded_registry, image
):
    """Row 1, CVE-2020-15157: the ``urls`` of a layer are nobody's to fetch, least with a login."""
    server = guarded_registry(BasicAuth("robot", SECRET))
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[-1]
    elsewhere = f"{evil.url}/layer"
    evil.responses["/layer"] = Response(401, bearer(f"{evil.url}/token"))
    open_blob = RemoteRepository.open_blob

    @contextmanager
    def as_containerd_did(self, blob):
        try:
            with open_blob(self, blob) as chunks:
                yield chunks
        except NotFoundError:
            with self._request("GET", elsewhere) as response:
                yield response.stream()

    def check():
        evil.clear()
        source = open_repository(server.url, login)
        source.resolve("1")
        attempt(lambda: list(source.open_blob(blob).__enter__()))
        assert evil.requests == []

    def disable(patch):
        patch.setattr(RemoteRepository, "open_blob", as_containerd_did)
        takes_all_for_ours(patch)

    defended(check, disable)


@pytest.mark.parametrize("answer", [Response(200), Response(401, bearer("{evil}/token"))])
def test_a_blob_s_redirect_does_not_carry_the_login(
    defended, attempt, evil, open_repository, login, guarded_registry, image, answer
):
    """Row 2, CVE-2026-49349: where a blob is redirected to, neither login nor token are seen."""
    server = guarded_registry(BasicAuth("robot", SECRET))
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
    headers = {k: v.format(evil=evil.url) for k, v in answer.headers.items()}
    evil.responses["/x"] = Response(answer.status, headers)

    def check():
        evil.clear()
        server.clear()
        source = open_repository(server.url, login)
        source.resolve("1")
        redirect = {"Location": f"{evil.url}/x"}
        server.inject(Fault("GET", "/blobs/", status=307, headers=redirect, times=None))
        attempt(lambda: list(source.open_blob(blob).__enter__()))
        assert evil.requests
        assert "Authorization" not in evil.seen
        assert evil.count(path_regex="token") == 0

    defended(check, keeps_credentials)


# --- rows 3 and 5: realms


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "0.0.0.0",
        "2852039166",
        "127.0.0.1",
        "localhost",
        "metadata.google.internal",
    ],
)
def test_a_realm_inside_is_not_asked(
    defended, attempt, network, evil, registry, open_repository, host
):
    """Rows 3 and 5, CVE-2026-48978, CVE-2026-33540: no registry sends us inside for a token."""
    network.names["registry.test"] = "203.0.113.7"
    port = registry.host.rpartition(":")[2]

    def check():
        evil.clear()
        registry.clear()
        headers = bearer(f"http://{host}:{evil.port}/token")
        registry.inject(Fault(path="^/v2", status=401, headers=headers))
        attempt(open_repository(f"http://registry.test:{port}").resolve, "1")
        assert registry.requests
        assert evil.requests == []

    defended(check, trusts_all)


def test_a_realm_elsewhere_does_not_get_the_login(
    defended, attempt, evil, registry, open_repository, login
):
    """Rows 3 and 5: a login goes to the registry's own host, or to one that the user declared."""

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault(path="^/v2", status=401, headers=bearer(f"{evil.url}/token")))
        attempt(open_repository(registry.url, login).resolve, "1")
        assert "Basic" not in evil.seen

    defended(check, lambda patch: patch.setattr(RegistryAuth, "_check_realm", lambda *_: None))


def test_a_realm_without_tls_is_not_asked_by_a_registry_with_it(
    defended, attempt, evil, authority, open_repository, login, guarded_registry
):
    """Row 3: a realm may not take encryption away."""
    server = guarded_registry(None, certificate=authority.issue("127.0.0.1"))

    def check():
        evil.clear()
        server.clear()
        server.inject(Fault(path="^/v2", status=401, headers=bearer(f"{evil.url}/token")))
        attempt(open_repository(server.url, login, ca_file=authority.ca_file).resolve, "1")
        assert evil.requests == []

    defended(check, trusts_all)


@pytest.mark.parametrize("trick", [r"{evil}\@", "user:pw@"])
def test_a_realm_that_only_looks_like_the_registry(
    defended, attempt, evil, registry, open_repository, login, trick
):
    """Row 3: what is checked of a URL is what is connected to, and a user name is no part of it."""
    realm = f"http://{trick.format(evil=evil.host)}{registry.host}/token"

    def by_python(url):
        parts = urlsplit(url)
        return urls.Origin(scheme=parts.scheme, host=parts.hostname, port=parts.port or 80)

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault(path="^/v2", status=401, headers=bearer(realm)))
        attempt(open_repository(registry.url, login).resolve, "1")
        assert evil.requests == []
        assert registry.count(path_regex="token") == 0

    def disable(patch):
        patch.setattr("kops_assets_provider.oci.auth.origin", by_python)
        trusts_all(patch)

    defended(check, disable)


@pytest.mark.parametrize("suffix", [r"\@{registry}/x", r"\.{registry}/x"])
def test_a_redirect_that_only_looks_like_home(defended, attempt, evil, registry, fetch, suffix):
    r"""Row 8, our own finding: ``http://evil\@good/`` is a URL of *evil*."""
    location = f"http://{evil.host}{suffix.format(registry=registry.host)}"

    def by_python(url):
        parts = urlsplit(url)
        return urls.Origin(scheme=parts.scheme, host=parts.hostname, port=0)

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault(status=302, headers={"Location": location}))
        headers = {"Authorization": SECRET}
        attempt(lambda: fetch(f"{registry.url}/a", headers=headers))
        assert SECRET not in evil.seen

    def disable(patch):
        patch.setattr(http_client, "origin", by_python)

    if suffix.startswith(r"\@"):
        defended(check, disable)
    else:
        check()


# --- row 6: what must keep working


def test_a_private_registry_works(
    defended, attempt, network, open_repository, login, guarded_registry, image
):
    """Row 6, CVE-2026-33990: a registry on a private address has its realm and storage there."""
    auth = TokenAuth("robot", SECRET, anonymous_pull=False)
    server, storage = guarded_registry(auth), guarded_registry(None)
    port = server.host.rpartition(":")[2]
    auth.realm = f"http://10.1.2.3:{port}/token"
    put_image(server, "kops/app:1", image)
    put_image(storage, "kops/app:1", image)
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
    there = f"http://192.168.7.7:{storage.host.rpartition(':')[2]}/v2/kops/app/blobs/{blob.digest}"

    def check():
        server.inject(Fault("GET", "/blobs/", status=307, headers={"Location": there}))
        source = open_repository(f"http://10.1.2.3:{port}", login)
        found = []

        def pull():
            found.append(source.resolve("1"))
            with source.open_blob(blob) as chunks:
                found.append(b"".join(chunks))

        attempt(pull)
        assert found == [image.digest, image.blobs[blob.digest]]

    def blocks_too_much(patch):
        patch.setattr(urls, "_is_forbidden", lambda address: address.is_private)

    defended(check, blocks_too_much)


# --- row 7: uploads


def test_an_upload_elsewhere_does_not_carry_the_login(
    defended, attempt, evil, open_repository, login, guarded_registry, image
):
    """Row 7, CVE-2026-50151: an upload may be sent to a storage, which gets no login."""
    server = guarded_registry(BasicAuth("robot", SECRET))
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]

    def body(*_):
        return nullcontext(iter([image.blobs[blob.digest]]))

    def check():
        evil.clear()
        server.clear()
        target = open_repository(server.url, login, Side.TARGET)
        target.resolve("1")
        location = {"Location": f"{evil.url}/up?sig=abc"}
        server.inject(Fault("POST", status=202, headers=location, times=None))
        assert target.push_blob(blob, body)
        (put,) = evil.requests
        assert put.query == f"sig=abc&digest={blob.digest.replace(':', '%3A')}"
        assert SECRET not in evil.seen
        assert "Authorization" not in evil.seen

    defended(check, takes_all_for_ours)


# --- row 8: redirects


@pytest.mark.parametrize("there", ["http://127.0.0.1:{evil}/b", "http://localhost:{registry}/b"])
def test_a_redirect_to_another_origin_loses_the_login(
    defended, attempt, evil, registry, fetch, there
):
    """Row 8, GHSA-vh4v-2xq2-g5cg: another port, or another name of the same host, is another."""
    location = there.format(evil=evil.port, registry=registry.host.rpartition(":")[2])

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault(path="/a", status=302, headers={"Location": location}))
        headers = {"authorization": SECRET, "Cookie": SECRET, "Proxy-Authorization": SECRET}
        attempt(lambda: fetch(f"{registry.url}/a", headers=headers))
        last = [x for x in (*evil.requests, *registry.requests) if x.path == "/b"]
        assert last
        assert SECRET not in str(last[0].headers)

    defended(check, keeps_credentials)


def test_a_redirect_back_does_not_bring_the_login_back(defended, attempt, evil, registry, fetch):
    """Row 8: what was lost on the way stays lost, even where it came from."""

    def check():
        registry.clear()
        registry.inject(Fault(path="/a", status=302, headers={"Location": f"{evil.url}/b"}))
        evil.responses["/b"] = Response(302, {"Location": f"{registry.url}/c"})
        attempt(lambda: fetch(f"{registry.url}/a", headers={"Authorization": SECRET}))
        assert registry.requests[-1].path == "/c"
        assert SECRET not in str(registry.requests[-1].headers)

    defended(check, keeps_credentials)


def test_a_redirect_does_not_take_encryption_away(
    defended, attempt, evil, authority, fetch, guarded_registry
):
    """Rows 8 and 16, CVE-2018-18074: from https there is no way to http."""
    server = guarded_registry(None, certificate=authority.issue("127.0.0.1"))
    server.inject(Fault(status=302, headers={"Location": f"{evil.url}/b"}, times=None))

    def check():
        evil.clear()
        attempt(fetch, server.url, HttpClient(ca_file=authority.ca_file))
        assert evil.requests == []

    defended(check, lambda patch: patch.setattr(http_client, "lead", urljoin))


# --- row 16: what requests did


def test_netrc_is_not_read(defended, attempt, evil, fetch, tmp_path, monkeypatch):
    """Row 16, CVE-2024-47081: no login comes from a file that nobody named."""
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login robot password {SECRET}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    def by_requests(self, method, url, **_):
        with requests.request(method, url) as response:
            return urllib3.HTTPResponse(response.content, status=200, preload_content=False)

    def check():
        evil.clear()
        attempt(fetch, evil.url)
        assert evil.requests
        assert "Authorization" not in evil.seen

    defended(check, lambda patch: patch.setattr(urllib3.PoolManager, "request", by_requests))


def test_the_proxy_s_password_is_the_proxy_s(defended, attempt, authority, fetch):
    """Row 16, CVE-2023-32681: what opens the proxy does not go through it."""
    through = pools.Pools._through

    def to_all(self, proxy, options):
        manager = through(self, proxy, options)
        manager.headers = manager.proxy_headers
        return manager

    def opens_to_all(patch):
        patch.setattr(pools.Pools, "_through", to_all)
        patch.setattr(HttpClient, "_once", without_own_headers)

    def without_own_headers(self, request):
        manager = self._pools.for_url(request.url)
        return manager.request(
            "GET", request.url, preload_content=False, redirect=False, retries=False
        )

    with (
        OciRegistryServer(certificate=authority.issue("files.test")) as server,
        ConnectProxy({"files.test": server.host}) as proxy,
    ):

        def check():
            server.clear()
            own = proxy.url.replace("//", f"//robot:{SECRET}@")
            client = HttpClient(ca_file=authority.ca_file, proxy=own)
            attempt(fetch, "https://files.test/v2/", client)
            assert "proxy-authorization" in str(proxy.headers[-1]).lower()
            assert server.requests
            assert "authorization" not in str(server.requests[-1].headers).lower()

        defended(check, opens_to_all)


def test_trust_is_not_sticky(defended, attempt, authority, fetch, guarded_registry):
    """Row 16, CVE-2024-35195: whom one client trusts, the next does not trust for that."""
    server = guarded_registry(None, certificate=authority.issue("127.0.0.1"))
    kept = []
    make = trust.Tls.context

    def sticky(self, **options):
        kept.append(make(self, **options))
        return kept[0]

    def check():
        server.clear()
        fetch(f"{server.url}/v2/", HttpClient(ca_file=authority.ca_file))
        attempt(fetch, f"{server.url}/v2/", HttpClient())
        assert len(server.requests) == 1

    defended(check, lambda patch: patch.setattr(trust.Tls, "context", sticky))
