"""ECR and Google's registries get their logins from Airflow's own connections."""

import json

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
)
from kops_assets_provider.hooks.cloud_logins import cloud_login, ecr_at
from tests.support.components import moto
from tests.support.file_server import FileServer
from tests.support.google_account import service_account
from tests.support.messages import Fault

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
GOOGLE = "europe-west1-docker.pkg.dev"


def login_for(host, aws_conn_id, gcp_conn_id="google_cloud_default"):
    return cloud_login(host, ecr_at(host, aws_conn_id), gcp_conn_id)


@pytest.fixture
def masked(monkeypatch):
    """What is hidden from Airflow's logs."""
    secrets = []
    monkeypatch.setattr("kops_assets_provider.hooks.cloud_logins.mask_secret", secrets.append)
    return secrets


@pytest.fixture
def aws(monkeypatch):
    """Define the AWS connection ``cloud`` with an endpoint."""

    def define(endpoint, **more):
        extra = {"endpoint_url": endpoint, "region_name": "eu-west-1", **more}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))

    return define


@pytest.mark.component
@pytest.mark.parametrize("role", [{}, {"role_arn": "arn:aws:iam::123456789012:role/copier"}])
def test_ecr_gives_its_token_as_a_password(aws, tmp_path, role):
    """The AWS connection, or its role, is asked for a token of the account in the host's region."""
    with moto(tmp_path) as server:
        aws(server.url, service_config={"sts": {"endpoint_url": server.url}}, **role)
        login = login_for(ECR, "cloud")
    assert login.username == "AWS"
    assert login.password == "123456789012-auth-token"
    assert login.name == "connection cloud"


@pytest.mark.component
def test_every_token_is_masked(aws, masked, tmp_path):
    """The first one, and what it is renewed to; Airflow's own hook has no part in the latter."""
    with moto(tmp_path) as server:
        aws(server.url)
        login_for(ECR, "cloud").renew().renew()
    assert masked == ["123456789012-auth-token"] * 3


def test_a_denied_token_names_the_right_that_is_needed(aws):
    """A permanent error, since retrying gives no rights."""
    with FileServer() as server:
        body = b'{"__type": "AccessDeniedException"}'
        server.inject(Fault(status=400, body=body, times=None))
        aws(server.url)
        with pytest.raises(AccessDeniedError, match="ecr:GetAuthorizationToken"):
            login_for(ECR, "cloud")


def test_an_ecr_that_is_down_is_transient(aws):
    """It may be up again."""
    aws("http://127.0.0.1:9")
    with pytest.raises(ConnectionFailedError, match="the ECR of account 123456789012"):
        login_for(ECR, "cloud")


def test_a_connection_that_verifies_nothing_is_refused(aws):
    """No option anywhere disables a check."""
    aws("http://127.0.0.1:9", verify=False)
    with pytest.raises(InvalidInputError, match="connection cloud: verify is false"):
        login_for(ECR, "cloud")


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize("host", [ECR, GOOGLE])
def test_without_credentials_the_registry_is_asked_anonymously(host):
    """Some repositories of these registries are public."""
    assert login_for(host, None, "no_such_connection") is None


@pytest.mark.parametrize("host", ["registry.k8s.io", "public.ecr.aws", f"{ECR}.evil.example"])
def test_no_other_host_gets_a_cloud_login(host):
    """Least of all one that only looks like theirs; nothing is even asked for."""
    assert login_for(host, "no_such_connection", "no_such_connection") is None


def test_google_gives_an_access_token(monkeypatch, masked):
    """The service account's key is traded for a token, and the token is the password."""
    with FileServer() as server:
        for number in (1, 2):
            body = f'{{"access_token": "canary-{number}", "expires_in": 3600}}'.encode()
            headers = {"Content-Type": "application/json"}
            server.inject(Fault("POST", status=200, body=body, headers=headers))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", google_connection(f"{server.url}/token"))
        login = login_for(GOOGLE, None, "google")
        assert (login.username, login.password) == ("oauth2accesstoken", "canary-1")
        assert login.renew().password == "canary-2"
    assert masked == ["canary-1", "canary-2"]


def test_a_key_that_google_refuses_is_permanent(monkeypatch):
    """The message says which connection has it."""
    with FileServer() as server:
        server.inject(Fault("POST", status=400, body=b'{"error": "invalid_grant"}', times=None))
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", google_connection(f"{server.url}/token"))
        with pytest.raises(AccessDeniedError, match="connection google"):
            login_for(GOOGLE, None, "google")


@pytest.mark.parametrize("extra", [{"keyfile_dict": "{canary"}, {"key_path": "/no/such/file.json"}])
def test_a_damaged_key_is_not_taken_for_none(monkeypatch, extra):
    """The copy would be anonymous, and nobody would know why."""
    value = json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", value)
    with pytest.raises(InvalidInputError, match="connection google") as caught:
        login_for(GOOGLE, None, "google")
    assert "canary" not in str(caught.value)


def google_connection(token_uri):
    account = service_account(token_uri)
    extra = {"keyfile_dict": json.dumps(account), "project": "p"}
    return json.dumps({"conn_type": "google_cloud_platform", "extra": extra})
