"""The command shows none of the secrets that it is given, or that servers quote."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from kops_assets_provider.cli.entry_point import make_parser
from tests.support.file_server import FileServer
from tests.support.http_server import HttpServer, Response
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth, TokenAuth

CANARY = "canary-7f3a"
FILE = b"kubelet" * 1000
SHA = hashlib.sha256(FILE).hexdigest()
DOWNLOAD = "https://files.example.com/k/kubelet"
SPEC = Path(__file__).parent.parent / "golden/1.36.2/specs/own-aws-files-only.yaml"


class World:
    """A list of one file and one image, and what it takes to copy them."""

    def __init__(self, source, target, files, folder):
        self.source, self.target, self.files, self.folder = source, target, files, folder
        put_image(source, "app/one:1", make_image("one"))
        files.put("/kubelet", FILE)
        self.list = folder / "prod.example.com.json"
        self.config = folder / "config.json"
        self.login("robot", CANARY)
        self.write_list()

    def login(self, *pair):
        auth = base64.b64encode(":".join(pair).encode()).decode()
        self.config.write_text(json.dumps({"auths": {self.target.host: {"auth": auth}}}))

    def write_list(self, canonical=None, download=DOWNLOAD, image=None):
        image = image or f"{self.source.host}/app/one:1"
        target = f"{self.target.host}/kops/one:1"
        file = {"canonical": canonical or f"{self.files.url}/kubelet", "download": download}
        images = [{"canonical": image, "download": target}]
        self.list.write_text(json.dumps({"images": images, "files": [file | {"sha": SHA}]}))

    @property
    def written(self):
        return [self.folder / "mirror", self.folder / "record", self.folder / "report"]

    def arguments(self, subcommand, *more):
        if subcommand == "list":
            return [subcommand, "--from", self.list, *more]
        return [
            *(subcommand, "--from", self.list, "--registry-config", self.config),
            *("--file-target", f"https://files.example.com={self.folder}/mirror"),
            *("--record-url", self.folder / "record", "--report-url", self.folder / "report"),
            *more,
        ]

    def forget(self):
        for folder in self.written:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=[BasicAuth, TokenAuth])
def world(tmp_path, request):
    with (
        OciRegistryServer() as source,
        OciRegistryServer(auth=request.param("robot", CANARY)) as target,
        FileServer() as files,
    ):
        yield World(source, target, files, tmp_path)


@pytest.fixture
def run(world, command):
    """Return a function that runs a subcommand on a mirror that is empty."""

    def run_it(subcommand, *more):
        world.forget()
        outputs, status = command(*world.arguments(subcommand, *more), written=world.written)
        outputs.status = status
        return outputs

    return run_it


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize("subcommand", ["list", "check", "copy"])
def test_a_signed_url_in_a_list(hidden, world, run, subcommand):
    """The file is copied by it, and is called by its URL without the signature everywhere."""
    url = f"{world.files.url}/kubelet"
    world.write_list(f"{url}?X-Amz-Signature={CANARY}&X-Amz-Credential={CANARY}-2")
    seen_in = {"list": {"stdout"}}.get(
        subcommand, {"stdout", "prod.example.com.report.json", "prod.example.com.report.html"}
    ) | ({"stderr", "prod.example.com.json"} if subcommand == "copy" else set())
    outputs = hidden([CANARY, f"{CANARY}-2"], lambda: run(subcommand), seen_in)
    assert outputs.status == (1 if subcommand == "check" else 0)
    assert url in outputs.texts["stdout"]
    if subcommand == "copy":
        assert (world.folder / "mirror/k/kubelet").read_bytes() == FILE
        assert f"X-Amz-Signature={CANARY}" in {x.query for x in world.files.requests}.pop()
        record = json.loads(outputs.texts["prod.example.com.json"])
        (file,) = (x for x in record["assets"] if x["kind"] == "file")
        assert (file["canonical"], file["state"]) == (url, "copied")
        again = run("check")
        assert again.status == 1  # the mirror was emptied: nothing else than the bytes is missing


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
def test_a_signed_url_that_is_found_in_the_record_again(world, command):
    """A second run knows the file by the same name, and by another signature."""
    for signature in ("first", "second"):
        world.write_list(f"{world.files.url}/kubelet?sig={CANARY}-{signature}")
        outputs, status = command(*world.arguments("copy"), written=world.written)
        assert status == 0
    record = json.loads(outputs.texts["prod.example.com.json"])
    assert [x["kind"] for x in record["assets"]] == ["image", "file"]
    assert record["changes"] == []


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize("subcommand", ["list", "check", "copy"])
def test_user_info_in_a_list(hidden, world, run, subcommand):
    """Neither in the URL that nodes use, nor in the one that the file is read from."""
    with_user = world.files.url.replace("//", f"//bob:{CANARY}-1@")
    world.write_list(f"{with_user}/kubelet", DOWNLOAD.replace("//", f"//bob:{CANARY}-2@"))
    outputs = hidden([f"{CANARY}-1"], lambda: run(subcommand), {"stdout"})
    assert outputs.status == (1 if subcommand == "check" else 0)
    assert outputs.holding(f"{CANARY}-2") == []


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize("quoted", ["{query}", "{signature}", "{path}?{query}"])
def test_a_server_that_quotes_a_signature(hidden, world, run, quoted):
    """Whatever the status: the signed URL is what was sent to it."""
    query = f"X-Amz-Signature={CANARY}"
    words = quoted.format(query=query, signature=CANARY, path=f"{world.files.url}/kubelet")
    body = f"<Error><Code>{words}</Code></Error>".encode()
    world.files.inject(Fault("GET", "kubelet", status=403, body=body, times=None))
    world.write_list(f"{world.files.url}/kubelet?{query}")
    assert hidden(CANARY, lambda: run("copy"), {"stdout", "stderr"}).status == 1
    world.write_list()
    rewrite = f"{world.files.url}/kubelet={world.files.url}/kubelet?{query}"
    seen_in = {"stdout", "prod.example.com.json", "prod.example.com.report.json"}
    hidden(CANARY, lambda: run("copy", "--source-rewrite", rewrite), seen_in)


@pytest.mark.parametrize("form", ["plain", "pair", "base64", "header"])
def test_a_registry_that_quotes_the_login(hidden, world, run, form):
    """It knows the password, or what stands for it, and says so in its error."""
    pair = f"robot:{CANARY}"
    encoded = base64.b64encode(pair.encode()).decode()
    words = {"plain": CANARY, "pair": pair, "base64": encoded, "header": f"Basic {encoded}"}[form]
    body = json.dumps({"errors": [{"code": "DENIED", "message": f"who is\x1b[31m {words}?"}]})
    fault = Fault("POST", "/v2/kops/", status=403, body=body.encode(), times=None)
    world.target.inject(fault)
    seen_in = {"stdout", "stderr", "prod.example.com.json", "prod.example.com.report.json"}
    outputs = hidden(words, lambda: run("copy"), seen_in)
    assert outputs.holding(CANARY) == outputs.holding(encoded) == outputs.holding("\x1b") == []
    assert "DENIED" in outputs.texts["stdout"]


class Echo(HttpServer):
    """A registry, a file server and a proxy that quotes all that it got in its error."""

    challenge = 'Basic realm="x"'

    def answer(self, request):
        request.body.drain()
        if request.path == "/token":
            return Response(200, {}, json.dumps({"token": f"{CANARY}-token"}).encode())
        if self.challenge and "Authorization" not in request.headers:
            return Response(401, {"WWW-Authenticate": self.challenge.format(url=self.url)})
        if request.method == "HEAD" and self.challenge:
            return Response(404)
        got = " ".join(v for k, v in request.headers.items() if "authorization" in k.lower())
        body = json.dumps({"errors": [{"code": "X", "message": f"{got} {request.query}"}]})
        return Response(403, {}, body.encode())


@pytest.fixture
def echo():
    with Echo() as server:
        yield server


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize(
    ("challenge", "secret"),
    [
        ('Basic realm="x"', base64.b64encode(f"robot:{CANARY}".encode()).decode()),
        ('Bearer realm="{url}/token",service="x"', f"{CANARY}-token"),
    ],
)
def test_a_registry_that_quotes_all_headers(hidden, world, echo, command, challenge, secret):
    """The login and the token, as they were sent."""
    echo.challenge, world.target = challenge, echo
    world.login("robot", CANARY)
    world.write_list()

    def work():
        world.forget()
        return command(*world.arguments("copy"), written=world.written)[0]

    hidden(secret, work, {"stdout", "stderr", "prod.example.com.json"})


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
def test_a_proxy_that_quotes_its_password(hidden, world, echo, run, monkeypatch):
    """One of the environment's, on the way to a file."""
    echo.challenge = ""
    monkeypatch.setenv("HTTP_PROXY", echo.url.replace("//", f"//robot:{CANARY}@"))
    world.write_list("http://files.test/kubelet")
    secret = base64.b64encode(f"robot:{CANARY}".encode()).decode()
    hidden(secret, lambda: run("copy"), {"stdout", "stderr"})


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize("status", [200, 403])
def test_the_url_of_the_list(hidden, world, command, status):
    """User info and query, whether it can be read or not."""
    world.files.put("/prod.example.com.json", world.list.read_bytes())
    if status != 200:
        world.files.inject(Fault("GET", "prod", status=status, times=None))
    url = world.files.url.replace("//", f"//bob:{CANARY}-user@")
    url += f"/prod.example.com.json?X-Amz-Signature={CANARY}-query"
    hidden(
        [f"{CANARY}-query"] if status == 200 else [f"{CANARY}-user", f"{CANARY}-query"],
        lambda: command("list", "--from", url)[0],
        {"log"} if status == 200 else {"stderr"},
    )


def options(subcommand):
    """Return every option of a subcommand that takes a value."""
    (subparsers,) = (x for x in make_parser([subcommand])._actions if x.choices)
    actions = subparsers.choices[subcommand]._actions
    return [x.option_strings[0] for x in actions if x.nargs != 0]


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize(
    "value",
    [
        f"https://bob:{CANARY}@h.example.com/x?sig={CANARY}",
        f"s3://KEY:{CANARY}/x@bucket/y",
        f"bob:{CANARY}@h.example.com/x",
        f"a=https://bob:{CANARY}@h.example.com/x",
        f"https://bob:{CANARY}@h.example.com=/x",
    ],
)
@pytest.mark.parametrize("option", options("copy"))
def test_a_password_in_a_malformed_value(world, run, command, option, value):
    """Of every option: it is refused, or not, and never repeated."""
    arguments = world.arguments("check", option, value)
    if option == "--jobs":
        arguments[0] = "copy"
    if option in ("--spec", "--state", "--name"):
        arguments = ["list", option, value, "--kops-version", "1.36.2"]
    outputs, _ = command(*arguments)
    assert outputs.holding(CANARY) == []


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--spec", f"https://bob:{CANARY}@h.example.com/x?sig={CANARY}"),
        ("list", "--state", f"s3://KEY:{CANARY}@b?x", "--name", "a", "--kops-version", "1"),
        ("list", f"--password={CANARY}"),
        ("list", "--output", CANARY),
        ("copy", "--warm-days", CANARY),
        ("copy", "--jobs", CANARY),
        ("check", "--from", "none.json", "--source-rewrite", CANARY),
        ("check", "--from", "none.json", "--s3-option", f"acl={CANARY}"),
    ],
)
def test_a_password_that_is_repeated_without_redaction(arguments, world, command):
    """Some of what is wrong would be, and is searched in the right place: standard error."""
    outputs, status = command(*arguments)
    assert status
    assert outputs.texts["stderr"]
    assert outputs.holding(CANARY) == []


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
def test_urls_of_options_without_redaction(hidden, command, world):
    """What the search for malformed values would find."""
    url = f"https://bob:{CANARY}@h.example.com/x?sig={CANARY}"
    hidden(CANARY, lambda: command("list", "--spec", url, "--kops-version", "1.36.2")[0])
    for options in (("--record-url", url), ("--file-target", f"{url}=nowhere")):
        arguments = world.arguments("copy", *options)
        hidden(CANARY, partial(lambda x: command(*x)[0], arguments))


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
def test_an_identity_token(world, run):
    """It is not supported, and its refusal does not quote it."""
    entry = {"identitytoken": CANARY, "auth": base64.b64encode(b"<token>:x").decode()}
    world.config.write_text(json.dumps({"auths": {world.target.host: entry}}))
    outputs = run("copy")
    assert "identity token" in str(outputs.texts)
    assert outputs.holding(CANARY) == []


@pytest.mark.parametrize("world", [BasicAuth], indirect=True)
@pytest.mark.parametrize("name", ["auths", "credHelpers"])
def test_a_damaged_docker_config(world, run, name):
    """Of which any part may be a password."""
    for text in (f'{{"{name}": {{"h": "{CANARY}', json.dumps({name: {"h": f"{CANARY} /"}})):
        world.config.write_text(text)
        outputs = run("copy")
        assert outputs.status == 1
        assert outputs.holding(CANARY) == []


KOPS = """#!/bin/sh
tr "\\0" " " < /proc/$$/cmdline > "$0.cmdline"
echo $AWS_SECRET_ACCESS_KEY $HCLOUD_TOKEN $KOPS_STATE_STORE >&2
test $1 = version && echo 1.36.2
"""


@pytest.fixture
def kops(tmp_path):
    """A program that shows its own command line, and fails with its environment."""
    program = tmp_path / "kops"
    program.write_text(KOPS)
    program.chmod(0o755)
    return program


def test_the_environment_of_kops(hidden, kops, command, monkeypatch):
    """It has credentials, and its process list entry and its words have none."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", f"{CANARY}-key")
    monkeypatch.setenv("HCLOUD_TOKEN", f"{CANARY}-token")
    state = f"s3://KEY:{CANARY}-state@bucket"
    arguments = ("list", "--state", state, "--name", "a.example.com", "--kops-command", kops)

    def work():
        outputs, _ = command(*arguments, "--kops-version", "1.36.2")
        outputs.texts["process list"] = kops.with_name("kops.cmdline").read_text()
        return outputs

    secrets = [f"{CANARY}-{x}" for x in ("key", "token", "state")]
    outputs = hidden(secrets, work, {"stderr"})
    assert "get assets" in outputs.texts["process list"]


def test_the_keys_of_the_cloud(hidden, command, echo, monkeypatch, no_credentials):
    """A state store is read with a session's token, which boto3 logs at level DEBUG."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", f"{CANARY}-{name}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", echo.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    echo.challenge = ""
    arguments = ("list", "--state", "s3://bucket", "--name", "a", "--kops-version", "1.36.2")
    outputs = hidden(f"{CANARY}-SESSION_TOKEN", lambda: command(*arguments)[0], {"log"})
    assert outputs.holding(f"{CANARY}-SECRET_ACCESS_KEY") == []
    assert "403" in outputs.texts["stderr"]


def test_an_unexpected_error(hidden, command, monkeypatch):
    """Its traceback is shown, with what led to it, and without what is secret in it."""

    def fail(*_, **__):
        try:
            raise KeyError(f"https://bob:{CANARY}@h/x?sig={CANARY}")
        except KeyError as err:
            raise RuntimeError(f"\x1b[31m{CANARY}") from err

    monkeypatch.setattr("kops_assets_provider.mirror.lists.get_list._read", fail)
    url = f"https://h.example.com/x?token={CANARY}"
    arguments = ("list", "--spec", SPEC, "--kops-version", "1.36.2", "--extra-file", url)
    outputs = hidden(CANARY, lambda: command(*arguments)[0], {"stderr"})
    assert "Traceback" in outputs.texts["stderr"]
    assert "\x1b" not in outputs.texts["stderr"]
