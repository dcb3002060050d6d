"""Logins from Docker's configuration: what it has, what helpers say, and nothing secret told."""

import base64
import json
import os
import time
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, TransientError
from kops_assets_provider.mirror.places.docker_config import DockerConfig

SECRET = "canary-password"
HOST = "registry.example.com"


def auth(text=f"robot:{SECRET}"):
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def load(tmp_path):
    """Return the configuration of a document."""

    def write(document):
        file = tmp_path / "some.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return DockerConfig.load(file)

    return write


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Install ``docker-credential-test``: a shell script, after it has read the host into $key."""

    def install(script):
        program = tmp_path / "bin" / "docker-credential-test"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\nread key\necho "$1 $key $#" >> {tmp_path}/asked\n{script}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return tmp_path / "asked"

    return install


def answer(username="robot", secret=SECRET):
    return f"echo '{json.dumps({'ServerURL': HOST, 'Username': username, 'Secret': secret})}'"


@pytest.mark.parametrize(
    "entry",
    [
        {"auth": auth()},
        {"auth": auth(f"robot:{SECRET}\0")},
        {"username": "robot", "password": SECRET},
        {"auth": auth(), "username": "another", "password": "x"},
    ],
)
def test_a_host_has_its_login(load, entry):
    """In base64 or in words; the base64 goes first, as in Docker."""
    login = load({"auths": {HOST: entry}}).login(HOST)
    assert (login.username, login.password) == ("robot", SECRET)
    assert login.name.endswith("some.json")


@pytest.mark.parametrize(
    ("key", "host"),
    [
        (f"https://{HOST}", HOST),
        (f"https://{HOST}/", HOST),
        (f"http://{HOST}/v2/", HOST),
        (f"{HOST}:5000", f"{HOST}:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_key_may_be_a_url(load, key, host):
    """As older versions of Docker wrote them; Docker Hub's is one still."""
    assert load({"auths": {key: {"auth": auth()}}}).login(host).password == SECRET


@pytest.mark.parametrize(
    "key", [f"{HOST}/team", f"https://{HOST}/team/", f"{HOST}:5000", f"evil.{HOST}", f"{HOST}.evil"]
)
def test_no_other_key_is_taken_for_the_host(load, key):
    """Also not one for a part of the registry: its login is not meant for the rest."""
    assert load({"auths": {key: {"auth": auth()}}}).login(HOST) is None


@pytest.mark.parametrize("document", [{}, {"auths": {}}, {"auths": {HOST: {}}}, {"auths": None}])
def test_a_host_without_an_entry_is_anonymous(load, document):
    """Docker leaves an empty one where a store has the login."""
    assert load(document).login(HOST) is None


def test_an_identity_token_is_said_not_to_be_supported(load):
    """The message says what to do instead, and not the token."""
    config = load({"auths": {HOST: {"auth": auth("<token>:"), "identitytoken": SECRET}}})
    with pytest.raises(InvalidInputError, match="not supported: log in with a user name") as caught:
        config.login(HOST)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [SECRET, auth(SECRET), 5, ["x"], f"{auth()}!"])
def test_a_damaged_auth_is_told_without_it(load, value):
    """It names the file and the host."""
    with pytest.raises(InvalidInputError, match=rf"some\.json: auth of {HOST}") as caught:
        load({"auths": {HOST: {"auth": value}}}).login(HOST)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (f'{{"{SECRET}', "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "it is not a mapping"),
        ({"auths": [1], "credHelpers": "x"}, "auths is not a mapping; credHelpers is not"),
        ({"auths": {HOST: "x"}, "credsStore": 5}, "auths has something.*the helper of credsStore"),
        ({"credHelpers": {HOST: "../../evil"}}, f"the helper of {HOST}"),
        ({"credsStore": "a b"}, "the helper of credsStore"),
    ],
)
def test_a_wrong_file_is_told_with_all_that_is_wrong(load, document, words):
    """Before any registry is asked; a helper's name is a part of a program's, and no path."""
    with pytest.raises(InvalidInputError, match=words) as caught:
        load(document)
    assert SECRET not in str(caught.value)


def test_dockers_own_file_is_the_default(tmp_path, monkeypatch):
    """``$DOCKER_CONFIG/config.json``, or the one in the home directory, or none."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert DockerConfig.load().login(HOST) is None
    for directory in (tmp_path, tmp_path / ".docker"):
        directory.mkdir(exist_ok=True)
        document = {"auths": {HOST: {"username": directory.name, "password": SECRET}}}
        (directory / "config.json").write_text(json.dumps(document))
    assert DockerConfig.load().login(HOST).username == tmp_path.name
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DockerConfig.load().login(HOST).username == ".docker"


def test_a_file_that_is_named_must_be_there(tmp_path):
    """Without it the copy would be anonymous, and nobody would know why."""
    with pytest.raises(InvalidInputError, match="there is no such file"):
        DockerConfig.load(tmp_path / "none.json")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        DockerConfig.load(tmp_path)


@pytest.mark.parametrize(
    "document", [{"credHelpers": {HOST: "test"}}, {"credsStore": "test", "auths": {HOST: {}}}]
)
def test_a_helper_is_asked(load, helper, document):
    """For its host, or for all; the host comes by standard input, and nothing secret is told."""
    asked = helper(answer())
    login = load(document).login(HOST)
    assert (login.username, login.password) == ("robot", SECRET)
    assert login.name == "docker-credential-test"
    assert asked.read_text() == f"get {HOST} 1\n"


def test_the_helper_of_docker_hub_gets_its_own_key(load, helper):
    """Helpers keep it under that."""
    asked = helper(answer())
    assert load({"credsStore": "test"}).login("docker.io")
    assert asked.read_text() == "get https://index.docker.io/v1/ 1\n"


def test_a_helper_of_a_host_goes_before_the_store(load, helper):
    """A store that is not installed is not missed then."""
    helper(answer())
    config = load({"credHelpers": {HOST: "test"}, "credsStore": "nowhere"})
    assert config.login(HOST).password == SECRET


@pytest.mark.parametrize(
    "script",
    ["echo 'credentials not found in native keychain'; exit 1", answer(username="", secret="")],
)
def test_a_helper_without_credentials_means_anonymous(load, helper, script):
    """Or what the file itself has for the host."""
    helper(script)
    assert load({"credsStore": "test"}).login(HOST) is None
    config = load({"credsStore": "test", "auths": {HOST: {"auth": auth()}}})
    assert config.login(HOST).password == SECRET


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (f"echo {SECRET}; echo {SECRET} >&2; exit 3", "failed for .* with status 3; try: echo"),
        (f"echo '{SECRET}'", "something else than JSON"),
        (f"""echo '["{SECRET}"]'""", "something else than JSON"),
        (f"""echo '{{"Username": "robot", "Secret": ["{SECRET}"]}}'""", "without user name"),
    ],
)
def test_a_helper_that_fails_is_told_without_its_words(load, helper, script, words):
    """There may be a secret in them."""
    helper(script)
    with pytest.raises(AccessDeniedError, match=words) as caught:
        load({"credsStore": "test"}).login(HOST)
    assert SECRET not in str(caught.value)


def test_a_helpers_identity_token_is_not_supported(load, helper):
    """It is known by its user name."""
    helper(answer(username="<token>"))
    with pytest.raises(InvalidInputError, match="not supported"):
        load({"credsStore": "test"}).login(HOST)


def test_a_helper_that_is_not_installed_is_named(load):
    """With where it is looked for."""
    with pytest.raises(InvalidInputError, match=r"docker-credential-nowhere: cannot be run.*PATH"):
        load({"credsStore": "nowhere"}).login(HOST)


def test_a_helper_that_hangs_is_killed_with_what_it_has_started(helper):
    """It may ask somebody who is not there."""
    asked = helper("sleep 60 & echo $! > $0.child; wait")
    config = DockerConfig({"credsStore": "test"}, "some.json", helper_seconds=0.3)
    with pytest.raises(TransientError, match=r"did not answer within 0\.3 s"):
        config.login(HOST)
    child = (asked.parent / "bin" / "docker-credential-test.child").read_text().strip()
    end = time.monotonic() + 60
    while is_running(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(pid):
    """Tell whether a process is there; a zombie that nobody has reaped is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_helper_is_asked_again_before_its_token_may_end(load, helper):
    """It does not say how long its credentials live, and those of clouds end."""
    asked = helper(answer())
    login = load({"credsStore": "test"}).login(HOST)
    assert login.expires_at is not None
    assert login.renew().password == SECRET
    assert len(asked.read_text().splitlines()) == 2
    helper("echo 'credentials not found'; exit 1")
    with pytest.raises(AccessDeniedError, match="any more"):
        login.renew()
