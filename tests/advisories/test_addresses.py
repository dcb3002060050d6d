"""Rows 4, 18, 20: no server leads us to this machine, or to where clouds keep credentials."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from urllib.parse import urljoin

import pytest
from urllib3.connection import HTTPConnection

from kops_assets_provider.exceptions import InvalidInputError, Side, UntrustedServerError
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http import address_checks, urls
from kops_assets_provider.http import client as http_client
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.oci.auth import RegistryAuth
from kops_assets_provider.oci.manifest import parse_manifest
from tests.support.connect_proxy import ConnectProxy
from tests.support.http_server import Response
from tests.support.memory_files import MemoryStore
from tests.support.messages import Fault

SHA = "0" * 64


def port(server):
    return int(server.host.rpartition(":")[2])


def trusts_names(patch):
    """Check spellings alone."""
    patch.setattr(address_checks, "check_address", lambda *_: None)


def trusts_all(patch):
    trusts_names(patch)
    patch.setattr(RegistryAuth, "_check_realm", lambda *_: None)
    patch.setattr(http_client, "lead", urljoin)


# --- row 4: names


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_redirect_to_a_name_of_this_machine(
    defended, attempt, resolver, evil, registry, fetch, address
):
    """Row 4, go-containerregistry #2440: what counts is the address, not how it is called."""
    resolver |= {"registry.test": "127.0.0.1", "evil.test": address}
    location = {"Location": f"http://evil.test:{port(evil)}/x"}

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault(status=302, headers=location))
        attempt(fetch, f"http://registry.test:{port(registry)}/a")
        assert registry.requests
        assert evil.requests == []

    defended(check, trusts_names)


def test_a_name_is_not_asked_for_twice(defended, attempt, evil, registry, fetch, monkeypatch):
    """Row 4: what is checked is what was connected to, whatever DNS says the next time."""
    asked = []
    resolve = socket.getaddrinfo

    def rebinding(host, *args, **options):
        # A public address to whoever checks first, and this machine to whoever then connects.
        asked.append(host)
        public = host == "evil.test" and len(asked) == 2 and "check" in asked
        return resolve("203.0.113.7" if public else "127.0.0.1", *args, **options)

    def look_up_first(self):
        if self.host == "evil.test":
            asked[:] = ["check"]
            found = socket.getaddrinfo(self.host, self.port)[0][4][0]
            address_checks.check_address(self.host, found, self.rules)
        return HTTPConnection._new_conn(self)

    def check():
        evil.clear()
        location = {"Location": f"http://evil.test:{evil.port}/x"}
        registry.inject(Fault(status=302, headers=location))
        attempt(fetch, f"http://registry.test:{port(registry)}/a")
        assert "evil.test" in asked
        assert evil.requests == []

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    defended(
        check, lambda patch: patch.setattr(address_checks._Guarded, "_new_conn", look_up_first)
    )


def test_a_token_realm_by_name(
    defended, attempt, resolver, evil_with_tls, registry, authority, open_repository
):
    """Row 4, go-containerregistry #2243: the realm's name stands for this machine."""
    resolver |= {"registry.test": "127.0.0.1", "token.test": "127.0.0.1"}
    realm = f"https://token.test:{port(evil_with_tls)}/token"

    def check():
        evil_with_tls.clear()
        registry.clear()
        challenge = {"WWW-Authenticate": f'Bearer realm="{realm}"'}
        registry.inject(Fault(path="^/v2", status=401, headers=challenge))
        source = open_repository(
            f"http://registry.test:{port(registry)}", ca_file=authority.ca_file
        )
        attempt(source.resolve, "1")
        assert registry.requests
        assert evil_with_tls.requests == []

    defended(check, trusts_names)


@pytest.fixture
def evil_with_tls(authority, evil):
    with type(evil)(certificate=authority.issue("token.test")) as server:
        yield server


def test_a_token_server_that_redirects(
    defended, attempt, resolver, evil, registry, open_repository
):
    """Row 4, go-containerregistry #2292: the token server is a server like any other."""
    resolver |= {"registry.test": "127.0.0.1", "evil.test": "127.0.0.1"}
    home = f"http://registry.test:{port(registry)}"

    def check():
        evil.clear()
        registry.clear()
        challenge = {"WWW-Authenticate": f'Bearer realm="{home}/token"'}
        location = {"Location": f"http://evil.test:{port(evil)}/x"}
        registry.inject(Fault(path="^/v2", status=401, headers=challenge))
        registry.inject(Fault(path="^/token", status=302, headers=location))
        attempt(open_repository(home).resolve, "1")
        # The registry's own host and port are as good as the registry (#2302).
        assert registry.count(path_regex="^/token") == 1
        assert evil.requests == []

    defended(check, trusts_names)


def test_an_upload_by_name(defended, attempt, resolver, evil, registry, open_repository, image):
    """Row 4 for uploads: the storage's name stands for this machine."""
    resolver |= {"registry.test": "127.0.0.1", "evil.test": "127.0.0.1"}
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
    location = {"Location": f"http://evil.test:{port(evil)}/x"}

    def body(*_):
        return nullcontext(iter([image.blobs[blob.digest]]))

    def check():
        evil.clear()
        registry.clear()
        registry.inject(Fault("POST", status=202, headers=location, times=None))
        home = f"http://registry.test:{port(registry)}"
        attempt(open_repository(home, side=Side.TARGET).push_blob, blob, body)
        assert registry.requests
        assert evil.requests == []

    defended(check, trusts_names)


def test_a_kept_connection_is_no_way_in(defended, attempt, resolver, evil, registry, fetch):
    """Row 4: that the user may go somewhere does not open the way for a server."""
    resolver |= {"registry.test": "127.0.0.1", "evil.test": "127.0.0.1"}
    there = f"http://evil.test:{port(evil)}"

    def check():
        client = HttpClient(stall_seconds=2)
        fetch(f"{there}/by-the-user", client)
        evil.clear()
        registry.inject(Fault(status=302, headers={"Location": f"{there}/x"}))
        attempt(fetch, f"http://registry.test:{port(registry)}/a", client)
        assert evil.requests == []

    defended(check, trusts_names)


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254"])
def test_not_even_the_user_goes_to_metadata(defended, attempt, network, evil, fetch, address):
    """Row 4: a name that the user wrote, and that somebody made to stand for metadata."""
    network.names["files.test"] = address

    def check():
        evil.clear()
        attempt(fetch, f"http://files.test:{evil.port}/a")
        assert evil.requests == []

    defended(check, trusts_names)


def test_the_user_s_own_names_lead_home(resolver, evil, fetch):
    """Row 6: a registry on this machine may have a name."""
    resolver["registry.test"] = "127.0.0.1"
    assert fetch(f"http://registry.test:{evil.port}/a") == b"evil"


def test_this_machine_may_lead_to_itself(registry, evil, fetch):
    """Row 6: a registry on this machine has its storage here as well."""
    registry.inject(Fault(status=302, headers={"Location": f"{evil.url}/x"}))
    assert fetch(f"{registry.url}/a") == b"evil"


def test_behind_a_proxy_spellings_are_checked(defended, attempt, evil, authority, fetch):
    """Row 4: the proxy resolves, so that a spelling is all we have; what is plain is refused."""
    with (
        type(evil)(certificate=authority.issue("files.test")) as server,
        type(evil)(certificate=authority.issue("169.254.169.254")) as metadata,
        ConnectProxy({"files.test": server.host, "169.254.169.254": metadata.host}) as proxy,
    ):
        location = {"Location": "https://169.254.169.254/latest"}
        server.responses["/a"] = Response(302, location)
        client = HttpClient(ca_file=authority.ca_file, proxy=proxy.url)

        def check():
            proxy.tunnels.clear()
            attempt(fetch, "https://files.test/a", client)
            assert proxy.tunnels in (["files.test:443"], [])
            assert metadata.requests == []

        defended(check, trusts_all)


# --- row 18: sources of files


@pytest.mark.parametrize("host", ["169.254.169.254", "metadata.google.internal", "127.0.0.1"])
def test_a_file_s_redirect_inside(defended, attempt, network, evil, file_server, host):
    """Row 18, CVE-2026-2376: a file's source does not lead us inside."""
    network.names["files.test"] = "203.0.113.7"
    network.names["metadata.google.internal"] = "169.254.169.254"
    file_server.redirects["/a"] = f"http://{host}:{evil.port}/x"
    url = f"http://files.test:{port(file_server)}/a"

    def check():
        evil.clear()
        source = HttpFileSource(HttpClient(stall_seconds=2))
        attempt(copy_file, source, [url], MemoryStore(), "a", SHA)
        assert file_server.requests
        assert evil.requests == []

    defended(check, trusts_all)


# --- row 20: spellings

WRAPPED = [
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::169.254.169.254]",
    "[2002:a9fe:a9fe::]",
    "[2002:a9fe:a9fe:1234::5]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[64:ff9b:1:a9fe:a9:fe00::]",
    "[::ffff:0:169.254.169.254]",
    "[::ffff:169.254.169.254%25eth0]",
    "[2001:0:cb00:7107::5601:5601]",
    "[2001:db8::5efe:169.254.169.254]",
    "%31%36%39.254.169.254",
    "2130706433",
    "0x7f.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "169.254.169.254.",
    "169%2E254%2E169%2E254",
    "0251.254.0xa9.254",
    "[2002:7f00:1::]",
    "[64:ff9b::127.0.0.1]",
]
PLAIN = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.0.1",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[fd20:ce::254]",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "224.0.0.1",
    "[ff02::1]",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "instance-data",
    "127.0.0.1",
    "127.8.9.10",
    "[::1]",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
]
ALLOWED = [
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "[fd12:3456::1]",
    "203.0.113.9",
    "[2001:db8::1]",
    "[2002:cb00:7107::1]",
    "[64:ff9b::203.0.113.7]",
    "storage.test",
]


@pytest.fixture
def led(attempt, network, evil, registry, fetch):
    """Return a function that lets a server on the internet redirect us to a host."""
    network.names |= {"registry.test": "203.0.113.7", "storage.test": "203.0.113.8"}

    def play(host):
        evil.clear()
        registry.inject(Fault(status=302, headers={"Location": f"http://{host}:{evil.port}/x"}))
        return attempt(fetch, f"http://registry.test:{port(registry)}/a")

    return play


@pytest.mark.parametrize("host", WRAPPED)
def test_no_spelling_hides_an_address(defended, led, evil, host):
    """Row 20, CVE-2026-44430: whatever an address is written as, or wrapped in."""

    def as_it_stands(host):
        try:
            return [urls.ipaddress.ip_address(host.strip("[]"))]
        except ValueError:
            return []

    def check():
        led(host)
        assert evil.requests == []

    def disable(patch):
        patch.setattr(urls, "_addresses", as_it_stands)
        # For the few that Python's own ``is_loopback`` and the parser see through.
        trusts_all(patch)

    defended(check, disable)


@pytest.mark.parametrize("host", PLAIN)
def test_no_server_leads_inside(led, evil, host):
    """Row 20: link-local, metadata, unspecified, multicast and loopback are refused."""
    assert isinstance(led(host), UntrustedServerError)
    assert evil.requests == []


OTHER_DIGITS = [
    "\uff11\uff16\uff19.254.169.254",
    "169\u3002254\u3002169\u3002254",
    "\u2460\u2465\u2468.254.169.254",
    "%EF%BC%91%EF%BC%96%EF%BC%99.1",
]


@pytest.mark.parametrize("host", OTHER_DIGITS)
def test_digits_and_dots_of_other_scripts_are_no_address(host):
    """A resolver may normalise them (UTS 46) to an address that was not checked."""
    with pytest.raises(ValueError, match="not an http"):
        urls.lead("https://registry.test/v2/", f"https://{host}/x")


def test_a_location_has_a_limit():
    """A pre-signed URL has some thousand characters; what is longer is not even parsed."""
    urls.lead("https://registry.test/v2/", "https://storage.test/?" + "x" * 8000)
    with pytest.raises(ValueError, match="more than 16384 characters"):
        urls.lead("https://registry.test/v2/", "https://storage.test/?" + "x" * 16_384)


# The registry of the test is on this machine, so it may lead there.
ELSEWHERE = [x for x in WRAPPED if not urls.is_loopback(x)]


@pytest.mark.parametrize("host", ELSEWHERE)
def test_every_way_out_checks_where_it_is_led(attempt, open_repository, registry, image, host):
    """Realms, redirects of manifests and of blobs, uploads: each refuses every spelling."""
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
    there = f"https://{host}/x"
    source, target = open_repository(registry.url), open_repository(registry.url, side=Side.TARGET)

    def read_blob():
        with source.open_blob(blob) as chunks:
            list(chunks)

    def push():
        target.push_blob(blob, lambda _: nullcontext(iter([image.blobs[blob.digest]])))

    for action, fault in [
        (lambda: source.resolve("1"), Fault("HEAD", status=307, headers={"Location": there})),
        (lambda: source.fetch_manifest("1"), Fault("GET", status=302, headers={"Location": there})),
        (read_blob, Fault("GET", status=307, headers={"Location": there})),
        (push, Fault("POST", status=202, headers={"Location": there})),
        (
            lambda: source.resolve("1"),
            Fault(status=401, headers={"WWW-Authenticate": f'Bearer realm="{there}"'}),
        ),
    ]:
        registry.clear()
        registry.inject(fault)
        assert isinstance(attempt(action), UntrustedServerError)


@pytest.mark.parametrize("host", ALLOWED)
def test_a_server_leads_to_private_and_public_addresses(led, evil, host):
    """Rows 6 and 20: companies' registries have their storage at private addresses."""
    assert led(host) is None
    assert len(evil.requests) == 1


@pytest.mark.parametrize("host", ["169.254.169.254", "[fd00:ec2::254]", "metadata"])
def test_the_user_is_told_that_metadata_is_no_source(fetch, host):
    """Row 20: whoever writes a metadata address into a list learns it before anything is sent."""
    with pytest.raises(InvalidInputError, match="credentials"):
        fetch(f"http://{host}/latest")
