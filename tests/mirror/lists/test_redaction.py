"""What a user or a server wrote into a URL is in no message: no user info, no query."""

import pytest

from kops_assets_provider.exceptions import InvalidInputError, KopsAssetsError
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.remap import Locations
from kops_assets_provider.mirror.lists.extras import with_files
from kops_assets_provider.mirror.lists.get_list import list_cluster
from kops_assets_provider.mirror.lists.hashes import fetch_sha
from kops_assets_provider.mirror.lists.kops_command import KopsCommand

URL = "http://bob:hunter2@127.0.0.1:9/x?X-Amz-Signature=hunter2"


def test_a_spec_that_is_a_url():
    """It is no path, and is shown without its secrets."""
    with pytest.raises(InvalidInputError) as caught:
        list_cluster(URL, "1.36.2")
    assert "hunter2" not in str(caught.value)


def test_an_extra_file_with_a_wrong_hash():
    """The file is named, its secrets are not."""
    with pytest.raises(InvalidInputError) as caught:
        with_files(ClusterAssets(images=(), files=()), {URL: "no hash"}, Locations())
    assert "127.0.0.1:9/x" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_hash_that_is_nowhere(file_server):
    """The URLs that were tried are named without their secrets."""
    url = f"http://bob:hunter2@{file_server.host}/x?X-Amz-Signature=hunter2"
    with pytest.raises(KopsAssetsError) as caught:
        fetch_sha(url, HttpClient(), first_wait_seconds=0)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def kops_says(tmp_path):
    """Return the error of a kops that fails with these words, in such an environment."""

    def fail(words, env=None, state_store="s3://state"):
        (tmp_path / "words").write_text(words)
        program = tmp_path / "kops"
        program.write_text(f"#!/bin/sh\ncat {tmp_path}/words >&2\nexit 1\n")
        program.chmod(0o755)
        kops = KopsCommand(str(program), {"PATH": "/usr/bin:/bin", **(env or {})})
        with pytest.raises(KopsAssetsError) as caught:
            kops.list_assets(state_store, "a.example.com")
        return str(caught.value).partition("failed with status 1: ")[2]

    return fail


def test_a_url_in_what_kops_says(kops_says):
    """kOps quotes the URLs that it could not read, signed ones too; what follows them stays."""
    assert kops_says(f"Error: cannot read {URL}") == "cannot read http://127.0.0.1:9/x"
    assert kops_says(f'Error: Get "{URL}": denied') == 'Get "http://127.0.0.1:9/x": denied'


@pytest.mark.parametrize(
    "url", ["s3://KEY:hunter2@bucket", "S3://KEY:hun/ter2@bucket", "s3://me@x.org:hunter2@bucket"]
)
def test_a_place_with_user_info_in_what_kops_says(kops_says, url):
    """Keys of AWS have slashes in them, and schemes may be in capitals."""
    assert kops_says(f"Error: no {url}/a, and {url}.") == "no s3://bucket/a, and s3://bucket."


def test_an_image_in_what_kops_says_stays(kops_says):
    """A port and a digest are no user and no password."""
    image = "docker://r.example.com:5000/a@sha256:0"
    assert kops_says(f"Error: no {image}") == f"no {image}"


def test_the_secrets_of_a_state_store(kops_says):
    """They are as secret when kOps quotes them alone."""
    assert kops_says("Error: bad key hun/ter2", state_store="s3://K:hun/ter2@b") == "bad key ***"


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PASS", "SSH_PASSPHRASE", "HTTP_AUTH", "X_CRED", "X_SESSION", "COOKIE", "SIGNATURE"),
        *("TLS_PRIVATE", "SENTRY_DSN", "MYSQL_PWD", "AIRFLOW_CONN_X", "aws_secret", "HTTPS_PROXY"),
    ],
)
def test_a_variable_that_is_called_as_secrets_are(kops_says, name):
    """Its value is hidden wherever it stands."""
    assert kops_says("Error: (hunter2) hunter22", {name: "hunter2"}) == "(***) ***2"


@pytest.mark.parametrize("name", ["PWD", "NO_PROXY", "LANG", "no_proxy"])
def test_a_variable_that_is_not(kops_says, name):
    """What tells nothing secret is told."""
    assert kops_says("Error: no example.org", {name: "example.org"}) == "no example.org"


def test_a_short_value_is_no_secret(kops_says):
    """It would be hidden in every other word."""
    assert kops_says("Error: an old key", {"TOKEN": "old"}) == "an old key"


def test_a_secret_in_another(kops_says):
    """The longer one is hidden first, whichever is set first."""
    env = {"A_TOKEN": "hunter", "B_TOKEN": "hunter-and-more", "C_TOKEN": "more"}
    assert kops_says("Error: hunter-and-more", env) == "***"


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("value", [PEM, PEM.replace("\n", "\r\n"), PEM.replace("\n", "\\n")])
@pytest.mark.parametrize("said", [PEM, PEM.replace("\n", "\\n"), "kqhkiG9w0BAQEF"])
def test_a_secret_of_many_lines(kops_says, value, said):
    """Each of its lines is a secret, however their ends are written."""
    told = kops_says(f"Error: bad key {said}", {"SOME_KEY": value})
    assert told.startswith("bad key ***")
    assert "MII" not in told
    assert "kqh" not in told


@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("said", ["p%40s/%22", 'p@s/"', "p%40s%2F%22", r"p@s/\""])
def test_the_user_info_of_any_variable(kops_says, scheme, said):
    """User and password are hidden alone too, however they are quoted; the host is not."""
    env = {"SOME_PLACE": f"{scheme}hunter2:p%40s%2F%22@example.com:3128"}
    told = kops_says(f"Error: user hunter2, password {said}, host example.com", env)
    assert told == "user ***, password ***, host example.com"


def test_no_half_of_a_secret_where_a_message_is_cut(kops_says):
    """What is too long is cut after its secrets are hidden."""
    words = "x" * 990
    told = kops_says(f"Error: {words} hunter2-and-much-more", {"TOKEN": "hunter2-and-much-more"})
    assert told == f"{words} ***"


def test_no_half_of_a_secret_where_a_log_is_cut(kops_says):
    """The line that has lost its beginning is not shown."""
    line = "hunter2-and-more " + "x" * ((64 << 10) - len("and-more "))
    assert kops_says(line, {"TOKEN": "hunter2-and-more"}) == "[...]"
    assert kops_says(f"{line}\nit ends", {"TOKEN": "hunter2-and-more"}) == "[...] it ends"
