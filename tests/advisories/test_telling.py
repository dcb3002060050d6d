"""Rows 22, 25: messages and logs tell no secret, and nothing that a terminal would obey."""

from __future__ import annotations

import base64
import logging
import traceback
from urllib.parse import parse_qs

import boto3
import pytest
from botocore.config import Config

from kops_assets_provider import logs
from kops_assets_provider.exceptions import InvalidManifestError, InvalidReferenceError, Side
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.http import errors, pools
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.places.registries import RegistryEndpoint
from kops_assets_provider.oci import auth as auth_module
from kops_assets_provider.oci.auth import Login
from kops_assets_provider.oci.manifest import OCI_MANIFEST, parse_manifest
from kops_assets_provider.oci.reference import Reference
from tests.canaries.switch import switch_off
from tests.support.http_server import Response
from tests.support.messages import Fault
from tests.support.registry.auth import TokenAuth

SECRET = "canary-password"
KEYS = {
    "aws_access_key_id": "access",
    "aws_secret_access_key": "canary-aws-secret",
    "aws_session_token": "canary-session-token",
}
NASTY = "\x1b[31m<script>\x07\x9b2J\u202e"


def silent(patch):
    """Take the filters off the loggers."""
    patch.setattr(pools, "keep_secrets_out", lambda: None)
    for name in ("urllib3.connectionpool", "urllib3.connection", *logs._WHOLE):
        patch.setattr(logging.getLogger(name), "filters", [])


@pytest.fixture
def told(caplog):
    """Return a function that does something and returns all that was logged and raised."""
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "botocore", "kops_assets_provider"):
        caplog.set_level(logging.DEBUG, logger=name)

    def run(action, *args, **options):
        caplog.clear()
        texts = []
        try:
            action(*args, **options)
        except Exception as err:  # noqa: BLE001
            texts = [str(err), repr(err), "".join(traceback.format_exception(err))]
        return "\n".join([caplog.text, *texts])

    return run


# --- row 22: secrets


def test_a_login_is_not_told(defended, told, open_repository, guarded_registry):
    """Row 22: neither password nor token, whatever goes wrong, at level DEBUG."""
    server = guarded_registry(TokenAuth("robot", SECRET))
    login = Login(username="robot", password=SECRET, name="connection my_registry")
    encoded = base64.b64encode(f"robot:{SECRET}".encode()).decode()

    def check():
        server.clear()
        server.inject(Fault("GET", "/manifests/", status=403, skip=1))
        text = told(open_repository(server.url, login).fetch_manifest, "1")
        sent = [x.headers["Authorization"] for x in server.requests if "Authorization" in x.headers]
        tokens = [x.partition(" ")[2] for x in sent]
        assert len(tokens) == 2
        shown = repr([login, RegistryEndpoint(url=server.url, login=login)])
        shown += repr(auth_module._Token(value=tokens[-1], renew_at=0.0))
        assert not [x for x in (SECRET, encoded, *tokens) if x in text + shown]

    def shows_all(patch):
        patch.setattr(Login, "__repr__", lambda self: self.password)

    defended(check, shows_all)


@pytest.mark.parametrize("status", [200, 403, 500])
def test_a_signature_is_not_told(defended, told, evil, status):
    """Row 22: a pre-signed URL is a credential, and so is each part that it is made of."""
    evil.responses["/files/a"] = Response(status, {}, b"<Error><Code>AccessDenied</Code></Error>")
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})

    def check():
        evil.clear()
        client = boto3.client(
            "s3", endpoint_url=evil.url, region_name="us-east-1", config=config, **KEYS
        )
        store = S3Store(client, HttpClient(), "files")
        text = told(store.write, "a", Content.of("a", b"a"))
        query = parse_qs(evil.requests[-1].query)
        secrets = [
            *query["X-Amz-Signature"],
            *query["X-Amz-Security-Token"],
            KEYS["aws_secret_access_key"],
        ]
        assert text
        assert not [x for x in secrets if x in text]

    defended(check, silent)


@pytest.mark.parametrize("fault", [Fault(status=403), Fault(drip=9)])
def test_a_url_s_secrets_are_not_told(defended, told, evil, fetch, fault):
    """Row 22: neither query nor user info, in logs, messages and tracebacks."""

    def check():
        evil.clear()
        evil.inject(fault)
        client = HttpClient(stall_seconds=0.3)
        text = told(fetch, f"http://u:{SECRET}@{evil.host}/a?token={SECRET}", client)
        assert "GET" in text
        assert SECRET not in text

    defended(check, silent)


def test_headers_that_are_none_do_not_tell_the_url(defended, told, raw_answer, fetch):
    """Row 22, our own finding: urllib3 warns of them with the whole URL, at level WARNING."""

    def check():
        url = raw_answer(b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n")
        text = told(fetch, f"{url}?token={SECRET}")
        assert "Failed to parse headers" in text
        assert SECRET not in text

    defended(check, silent)


def test_a_proxy_s_password_is_not_told(defended, told, evil, fetch):
    """Row 22: not by a proxy that works, nor by a URL's own user info that goes through one."""

    def check():
        proxy = evil.url.replace("//", f"//robot:{SECRET}@")
        client = HttpClient(proxy=proxy, stall_seconds=1)
        text = told(fetch, f"http://u:{SECRET}@files.test/a", client)
        assert evil.requests
        assert "files.test" in text
        assert SECRET not in text

    defended(check, silent)


@pytest.mark.parametrize("proxy", ["socks5://robot:{}@h:1", "robot:{}@h:1", "http://robot:{}@"])
def test_a_wrong_proxy_is_told_without_its_password(told, fetch, proxy):
    """Row 22: what is wrong with a proxy can be said without all of it."""
    text = told(fetch, "http://files.test/a", HttpClient(proxy=proxy.format(SECRET)))
    assert "proxy" in text
    assert SECRET not in text


def test_the_client_does_not_show_its_secrets(login):
    """Row 22: what is printed in a debugger or a task's log names classes, not contents."""
    http = HttpClient(proxy=f"http://robot:{SECRET}@proxy.test:1")
    assert SECRET not in repr([http, http._pools, login, login])


# --- row 25: what a terminal would obey


def is_plain(error):
    """Tell whether a message is one line of text."""
    return str(error).isprintable()


def test_a_redirect_is_told_in_plain_text(defended, attempt, evil, fetch):
    """Row 25: a path may hold anything, and a message is one line."""
    evil.responses["/a"] = Response(302, {"Location": f"/{NASTY[:8]}b"})
    evil.inject(Fault(path="b$", status=403, times=None))

    def check():
        error = attempt(fetch, f"{evil.url}/a")
        assert "script" in str(error) or "403" in str(error)
        assert is_plain(error)

    defended(check, switch_off)


@pytest.mark.parametrize("path", ["^/a", "^/b"])
def test_a_server_s_words_are_told_in_plain_text(defended, attempt, evil, fetch, path):
    """Row 25: a registry's error is a stranger's text."""
    body = f'{{"errors": [{{"code": "{NASTY}", "message": "a\\r\\nb\\u001b[2J"}}]}}'.encode()
    body = body.replace(b"\x1b", b"\\u001b").replace(b"\x07", b"\\u0007")

    def check():
        evil.clear()
        evil.inject(Fault(status=400, body=body))
        error = attempt(fetch, evil.url + path[1:])
        assert "<script>" in str(error)
        assert is_plain(error)

    defended(check, switch_off)


def test_a_line_that_is_no_http_is_told_in_plain_text(defended, attempt, raw_answer, fetch):
    """Row 25: http.client quotes a status line that it cannot read, all of it."""

    def check():
        url = raw_answer(b"\x1b[31mXTTP/1.1 200 " + b"x" * 9000 + b"\r\n\r\n")
        error = attempt(fetch, url)
        assert "XTTP" in str(error)
        assert is_plain(error)
        assert len(str(error)) < 500

    defended(check, switch_off)


def test_a_realm_is_told_in_plain_text(defended, attempt, registry, open_repository):
    """Row 25: a challenge's realm comes into a message, too."""

    def check():
        registry.clear()
        challenge = {"WWW-Authenticate": f'Bearer realm="https://h.test/{NASTY[:8]}"'}
        registry.inject(Fault(path="^/v2", status=401, headers=challenge))
        login = Login(username="robot", password=SECRET)
        error = attempt(open_repository(registry.url, login).resolve, "1")
        assert "realm" in str(error)
        assert is_plain(error)

    defended(check, switch_off)


@pytest.mark.parametrize(
    "location", [f"http://ev\x1b[31mil/{NASTY[:8]}", "http://[\x1b/", f"ftp://{NASTY[:8]}/"]
)
def test_a_place_that_is_refused_is_told_in_plain_text(attempt, evil, fetch, location):
    """Row 25: what is refused is named, in plain text."""
    evil.responses["/a"] = Response(302, {"Location": location})
    error = attempt(fetch, f"{evil.url}/a")
    assert "redirects to" in str(error)
    assert is_plain(error)


def test_a_header_s_line_break_makes_no_header(attempt, raw_answer, evil, fetch):
    """Row 25: an old folded header is one header, and what it leads to has no line break."""
    location = f"{evil.url}/x\r\n y: z".encode()
    url = raw_answer(b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n")
    attempt(fetch, url)
    assert all("y" not in x.headers for x in evil.requests)


@pytest.mark.parametrize("name", [f"h.test/{NASTY}:1", "h.test/a\r\nX: y:1", "h.test/a:1\n"])
def test_an_image_s_name_is_told_in_plain_text(name):
    """Row 25: a name that is none is quoted."""
    with pytest.raises(InvalidReferenceError) as error:
        Reference.parse(name)
    assert is_plain(error.value)


@pytest.mark.parametrize("field", ["mediaType", "digest", "size"])
def test_a_manifest_s_words_are_told_in_plain_text(field):
    """Row 25: so is what a manifest holds."""
    entry = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "a" * 64, "size": 1} | {field: NASTY}
    document = {"config": entry, "layers": [], "mediaType": NASTY if field == "mediaType" else None}
    raw = errors.json.dumps({k: v for k, v in document.items() if v}).encode()
    with pytest.raises(InvalidManifestError) as error:
        parse_manifest(raw, OCI_MANIFEST)
    assert is_plain(error.value)


def test_a_digest_header_is_told_in_plain_text(attempt, registry, open_repository, image):
    """Row 25: and what a registry says that it stored."""
    digest = {"Docker-Content-Digest": f"sha256:{NASTY[:8]}"}
    registry.inject(Fault("PUT", status=201, headers=digest))
    target = open_repository(registry.url, side=Side.TARGET)
    error = attempt(target.push_manifest, "1", parse_manifest(image.top.data, image.top.media_type))
    assert error is not None
    assert is_plain(error)


def test_logs_are_filtered_once():
    """A client more is no filter more."""
    for _ in range(3):
        HttpClient()
    assert logging.getLogger("urllib3.connectionpool").filters.count(logs._shortened) == 1
