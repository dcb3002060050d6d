"""ECR and Google's registries without Airflow: who is asked, what is made, and how errors read."""

import base64
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from google.auth.credentials import AnonymousCredentials

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
)
from kops_assets_provider.mirror.places.cloud_registries import (
    Ecr,
    EcrRepositories,
    default_endpoints,
    google_login,
    is_google,
)
from tests.support.components import moto
from tests.support.file_server import FileServer
from tests.support.google_account import service_account
from tests.support.messages import Fault

ACCOUNT = "123456789012"
ECR = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
GOOGLE = "europe-west1-docker.pkg.dev"
POLICY = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "untagged",
                "countType": "imageCountMoreThan",
                "countNumber": 1000,
            },
            "action": {"type": "expire"},
        }
    ]
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """Moto's server."""
    with moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def api():
    """An API that answers as it is told to."""
    with FileServer() as server:
        yield server


def nobody(region):
    raise AssertionError(f"asked for {region}")


def ecr_at(server, host=ECR):
    def client(region):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s"}
        return boto3.client("ecr", region_name=region, endpoint_url=server.url, **keys)

    return Ecr.at(host, client, "connection cloud")


def refuse(server, code, status=400, message=""):
    body = json.dumps({"__type": code, "message": message}).encode()
    server.inject(Fault(status=status, body=body, times=None))


@pytest.fixture
def bare(no_credentials, monkeypatch, tmp_path):
    """A machine without any credentials, and without a Docker configuration."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


@pytest.fixture
def keys(bare, monkeypatch):
    """The same with AWS keys in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE00001")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    return bare


@pytest.mark.parametrize(
    "host",
    [
        ECR,
        f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
        f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn",
        f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws",
    ],
)
def test_the_hosts_of_ecr_are_known(host):
    """As the kubelet's credential provider knows them."""
    assert Ecr.at(host, nobody, "x")


@pytest.mark.parametrize(
    "host",
    [
        "registry.k8s.io",
        "public.ecr.aws",
        f"{ECR}.evil.example",
        f"x{ECR}",
        f"{ECR}:444",
        f"{ACCOUNT}.dkr.ecr.eu-west-1.on.aws.evil.example",
        "evil-docker.pkg.dev.example.com",
        "gcr.io.example.com",
        "xgcr.io",
    ],
)
def test_no_other_host_is_one_of_theirs(host):
    """Least of all one that only looks like it."""
    assert Ecr.at(host, nobody, "x") is None
    assert not is_google(host)


def test_importing_it_loads_no_sdk():
    """Who copies from Docker Hub alone does not wait for them."""
    heavy = ("airflow", "boto3", "botocore", "google.auth")
    name = "kops_assets_provider.mirror.places.cloud_registries"
    code = f"import sys, {name}; {name}.default_endpoints()('registry.k8s.io')"
    code += f"; print([x for x in {heavy} if x in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# ECR


@pytest.mark.component
def test_an_ecr_token_can_be_renewed(aws):
    """Moto's ended in 2015, as with a wrong clock here: it is used for a while all the same."""
    login = ecr_at(aws).login()
    assert (login.username, login.password) == ("AWS", f"{ACCOUNT}-auth-token")
    assert 200 < login.expires_at - time.monotonic() <= 300
    assert login.renew().renew().password == login.password


def test_an_ecr_token_ends_when_amazon_says(api):
    """Twelve hours on, by our own clock."""
    token = base64.b64encode(b"AWS:canary").decode()
    data = [{"authorizationToken": token, "expiresAt": time.time() + 43_200}]
    body = json.dumps({"authorizationData": data}).encode()
    api.inject(Fault(status=200, body=body))
    login = ecr_at(api).login()
    assert login.expires_at - time.monotonic() == pytest.approx(43_200, abs=5)
    assert "canary" not in repr(login)


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("AccessDeniedException", 400, AccessDeniedError, "cloud needs ecr:GetAuthorizationToken"),
        ("UnrecognizedClientException", 400, AccessDeniedError, "UnrecognizedClientException"),
        ("ThrottlingException", 400, RateLimitedError, "answered ThrottlingException"),
        ("ServerException", 500, ServerFailedError, "the ECR of account 123456789012 in eu-west-1"),
    ],
)
def test_a_refused_token_is_told(api, monkeypatch, code, status, kind, words):
    """What passes is transient; a right that is missing is named."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    refuse(api, code, status, "canary words")
    with pytest.raises(kind, match=words) as caught:
        ecr_at(api).login()
    assert "canary" not in str(caught.value)


def test_a_role_that_may_not_be_assumed_is_told(api):
    """It is not ECR that refuses then."""
    api.inject(
        Fault(
            status=403,
            body=b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
            times=None,
        )
    )

    def client(region):
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s"}
        sts = boto3.client("sts", region_name=region, endpoint_url=api.url, **keys)
        sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/x", RoleSessionName="test")

    with pytest.raises(AccessDeniedError, match="AssumeRole answered AccessDenied: the role's"):
        Ecr.at(ECR, client, "connection cloud").login()


def test_a_setting_that_boto3_refuses_is_told_without_it(monkeypatch):
    """An endpoint may have a password in it."""

    def client(region):
        return boto3.client("ecr", region_name=region, endpoint_url="robot:canary@x")

    with pytest.raises(InvalidInputError, match="connection cloud: a setting") as caught:
        Ecr.at(ECR, client, "connection cloud").login()
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.component
def test_a_repository_is_made_with_ecrs_defaults(aws):
    """Nothing in it expires: a manifest without a tag may be what nodes pull."""
    ecr = ecr_at(aws)
    ecr.profile(EcrRepositories()).create_repository("plain/app")
    client = ecr._client()
    (made,) = client.describe_repositories(repositoryNames=["plain/app"])["repositories"]
    assert made["imageTagMutability"] == "MUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}
    assert made["encryptionConfiguration"]["encryptionType"] == "AES256"
    assert made["registryId"] == ACCOUNT
    with pytest.raises(client.exceptions.LifecyclePolicyNotFoundException):
        client.get_lifecycle_policy(repositoryName="plain/app")


@pytest.mark.component
def test_a_repository_is_made_as_the_options_say(aws):
    """All of them reach ECR."""
    ecr = ecr_at(aws)
    options = EcrRepositories(
        image_tag_mutability="IMMUTABLE",
        scan_on_push=True,
        encryption_type="KMS",
        kms_key=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1",
        lifecycle_policy=json.dumps(POLICY),
        tags={"team": "platform"},
    )
    ecr.profile(options).create_repository("full/app")
    client = ecr._client()
    (made,) = client.describe_repositories(repositoryNames=["full/app"])["repositories"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": options.kms_key}
    tags = client.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "platform"}]
    policy = client.get_lifecycle_policy(repositoryName="full/app")["lifecyclePolicyText"]
    assert json.loads(policy) == POLICY


@pytest.mark.component
def test_a_repository_that_is_there_is_left_as_it_is(aws):
    """Another task was faster, or it is somebody else's."""
    ecr_at(aws).profile(EcrRepositories()).create_repository("there/app")
    options = EcrRepositories(image_tag_mutability="IMMUTABLE", lifecycle_policy=json.dumps(POLICY))
    ecr = ecr_at(aws)
    ecr.profile(options).create_repository("there/app")
    client = ecr._client()
    (made,) = client.describe_repositories(repositoryNames=["there/app"])["repositories"]
    assert made["imageTagMutability"] == "MUTABLE"
    with pytest.raises(client.exceptions.LifecyclePolicyNotFoundException):
        client.get_lifecycle_policy(repositoryName="there/app")


def test_many_threads_make_a_repository_once(api):
    """The blobs of an image are sent together, and each finds the repository missing."""
    api.inject(Fault(status=200, body=b"{}", times=None, delay=0.05))
    create = ecr_at(api).profile(EcrRepositories()).create_repository
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: create("kops/app"), range(8)))
    assert len(api.requests) == 1


def test_the_rights_to_make_a_repository_are_named(api):
    """Those that the options take among them."""
    refuse(api, "AccessDeniedException")
    options = EcrRepositories(tags={"a": "b"}, lifecycle_policy="{}")
    needs = "needs ecr:CreateRepository, ecr:TagResource, ecr:PutLifecyclePolicy"
    with pytest.raises(AccessDeniedError, match=f"target the ECR .*kops/app.*{needs}"):
        ecr_at(api).profile(options).create_repository("kops/app")


def test_a_value_that_ecr_refuses_is_told_in_its_words(api):
    """Only it knows its limits, and whether a key exists."""
    refuse(api, "KmsException", message="Key 'x' does not exist")
    with pytest.raises(RequestRejectedError, match="KmsException: Key 'x' does not exist"):
        ecr_at(api).profile(EcrRepositories()).create_repository("kops/app")


def test_without_options_the_missing_repository_is_told():
    """With how to have it made."""
    create = Ecr.at(ECR, nobody, "x").profile(None).create_repository
    with pytest.raises(NotFoundError, match="no repository kops/app; make it, or set ecr_rep"):
        create("kops/app")


# The command's own way


@pytest.mark.component
def test_the_default_credentials_are_used_for_ecr(aws, keys, monkeypatch):
    """Boto3's own, in the host's region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", aws.url)
    endpoint = default_endpoints()(ECR)
    assert endpoint.login.password == f"{ACCOUNT}-auth-token"
    assert endpoint.login.name == "the default AWS credentials"
    assert endpoint.profile.mounts_published


def test_dockers_configuration_goes_first(keys, monkeypatch):
    """Nobody else is asked then; a registry in ECR stays one."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_ECR", "http://127.0.0.1:9")
    entry = {"username": "AWS", "password": "canary"}
    document = {"auths": {ECR: entry, GOOGLE: entry, "registry.example.com": entry}}
    file = keys / "other.json"
    file.write_text(json.dumps(document))
    endpoint_for = default_endpoints(file)
    for host in document["auths"]:
        assert endpoint_for(host).login.password == "canary"
        assert endpoint_for(host).profile.mounts_published == (host == ECR)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("host", [ECR, GOOGLE, "registry.k8s.io"])
def test_without_credentials_a_registry_is_asked_anonymously(host):
    """Some repositories in those of the clouds are public."""
    endpoint = default_endpoints()(host)
    assert endpoint.login is None
    assert endpoint.url == f"https://{host}"


def test_a_configuration_that_is_named_must_be_there(bare):
    """It is read before anything is copied."""
    with pytest.raises(InvalidInputError, match="there is no such file"):
        default_endpoints(bare / "none.json")


# Google


@pytest.fixture
def google_key(bare, monkeypatch):
    """Give Google's default credentials a key, whose tokens come from a URL."""

    def write(url, **changes):
        account = service_account(f"{url}/token", **changes)
        (bare / "key.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(bare / "key.json"))

    return write


def token(value):
    body = json.dumps({"access_token": value, "expires_in": 3600, "token_type": "Bearer"})
    return Fault("POST", status=200, body=body.encode(), headers={"Content-Type": "text/json"})


def test_googles_token_is_a_password_for_an_hour(api, google_key):
    """And is then traded for another."""
    google_key(api.url)
    for value in ("canary-1", "canary-2"):
        api.inject(token(value))
    login = default_endpoints()(GOOGLE).login
    assert (login.username, login.password) == ("oauth2accesstoken", "canary-1")
    assert login.expires_at - time.monotonic() == pytest.approx(3600, abs=10)
    assert login.renew().password == "canary-2"
    assert "canary" not in repr(login)


def test_a_damaged_key_is_not_taken_for_none(google_key):
    """The copy would be anonymous, and nobody would know why."""
    google_key("http://127.0.0.1:9", private_key="canary")
    with pytest.raises(InvalidInputError, match="Google's default credentials: its key") as caught:
        default_endpoints()(GOOGLE)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": "invalid_grant"}', AccessDeniedError),
        (503, b"", ServerFailedError),
    ],
)
def test_what_googles_token_server_says_is_told(api, google_key, status, body, kind):
    """A refused key is permanent; a server that is down is not."""
    google_key(api.url)
    api.inject(Fault("POST", status=status, body=body, times=None))
    with pytest.raises(kind, match="Google's default credentials"):
        default_endpoints()(GOOGLE)


def test_a_google_that_cannot_be_reached_is_transient(google_key):
    """It may be later."""
    google_key("http://127.0.0.1:9")
    with pytest.raises(ConnectionFailedError):
        default_endpoints()(GOOGLE)


def test_anonymous_google_credentials_are_none():
    """A connection may say so."""
    assert google_login(AnonymousCredentials, "connection google") is None
