"""ECR and Google's registries get their logins from Airflow's own connections."""

import json

import pytest

from kops_assets_provider.exceptions import AccessDeniedError, ConnectionFailedError
from kops_assets_provider.hooks.cloud_logins import cloud_login
from kops_assets_provider.testing.components import moto
from kops_assets_provider.testing.file_server import FileServer
from kops_assets_provider.testing.messages import Fault

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GOOGLE = "europe-west1-docker.pkg.dev"


@pytest.fixture
def no_credentials(monkeypatch, tmp_path):
    """A machine without any cloud credentials, also without those of an instance."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture
def aws(monkeypatch):
    """Define the AWS connection ``cloud`` with an endpoint."""

    def define(endpoint):
        extra = {"endpoint_url": endpoint, "region_name": "eu-west-1"}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))

    return define


@pytest.mark.component
def test_ecr_gives_its_token_as_a_password(aws, tmp_path):
    """The AWS connection is asked for a token of the account in the host's region."""
    with moto(tmp_path) as server:
        aws(server.url)
        login = cloud_login(ECR, "cloud", "google_cloud_default")
    assert login.username == "AWS"
    assert login.password == "123456789012-auth-token"
    assert login.name == "connection cloud"


def test_a_denied_token_names_the_right_that_is_needed(aws):
    """A permanent error, since retrying gives no rights."""
    with FileServer() as server:
        body = b'{"__type": "AccessDeniedException"}'
        server.inject(Fault(status=400, body=body, times=None))
        aws(server.url)
        with pytest.raises(AccessDeniedError, match="ecr:GetAuthorizationToken"):
            cloud_login(ECR, "cloud", "google_cloud_default")


def test_an_ecr_that_is_down_is_transient(aws):
    """It may be up again."""
    aws("http://127.0.0.1:9")
    with pytest.raises(ConnectionFailedError, match="the ECR of account 123456789012"):
        cloud_login(ECR, "cloud", "google_cloud_default")


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize("host", [ECR, GOOGLE])
def test_without_credentials_the_registry_is_asked_anonymously(host):
    """Some repositories of these registries are public."""
    assert cloud_login(host, None, "no_such_connection") is None


@pytest.mark.parametrize(
    "host",
    [
        "registry.k8s.io",
        "public.ecr.aws",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
        "evil-docker.pkg.dev.example.com",
        "gcr.io.example.com",
    ],
)
def test_no_other_host_gets_a_cloud_login(host):
    """Least of all one that only looks like theirs; nothing is even asked for."""
    assert cloud_login(host, "no_such_connection", "no_such_connection") is None


def test_google_gives_an_access_token(monkeypatch):
    """The service account's key is traded for a token, and the token is the password."""
    with FileServer() as server:
        body = b'{"access_token": "canary-token", "expires_in": 3600, "token_type": "Bearer"}'
        headers = {"Content-Type": "application/json"}
        server.inject(Fault("POST", status=200, body=body, headers=headers))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", google_connection(f"{server.url}/token"))
        login = cloud_login(GOOGLE, None, "google")
    assert (login.username, login.password) == ("oauth2accesstoken", "canary-token")


def test_a_key_that_google_refuses_is_permanent(monkeypatch):
    """The message says which connection has it."""
    with FileServer() as server:
        server.inject(Fault("POST", status=400, body=b'{"error": "invalid_grant"}', times=None))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", google_connection(f"{server.url}/token"))
        with pytest.raises(AccessDeniedError, match="connection google"):
            cloud_login(GOOGLE, None, "google")


def google_connection(token_uri):
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "p",
        "client_email": "robot@p.iam.example.com",
        "private_key": key.decode(),
        "private_key_id": "1",
        "token_uri": token_uri,
    }
    extra = {"keyfile_dict": json.dumps(account), "project": "p"}
    return json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
