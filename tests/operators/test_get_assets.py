"""The operator gets a list by any way, with the rights of Airflow's connections."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from kops_assets_provider.airflow_versions import AirflowFailException
from kops_assets_provider.exceptions import StoppedError, TransientError
from kops_assets_provider.hooks.state_store import kops_environment
from kops_assets_provider.operators.get_assets import KopsGetAssetsOperator
from tests.support.components import gcs_emulator, moto

SPEC = Path(__file__).parent.parent / "golden" / "1.36.2" / "specs" / "own-aws-registry.yaml"
DOCUMENTS = list(yaml.safe_load_all(SPEC.read_text()))
NAME = next(x["metadata"]["name"] for x in DOCUMENTS if x["kind"] == "Cluster")
EXPECTED = yaml.safe_load((SPEC.parent.parent / "assets" / SPEC.name).read_text())
KEYS = ("images", "files")


class Pushed:
    """Stands in for a task instance: keeps what is pushed."""

    def __init__(self):
        self.values = {}

    def xcom_push(self, key, value):
        self.values[key] = json.loads(json.dumps(value))


@pytest.fixture
def get_assets(tmp_path):
    """Run the operator; return its result and what it pushed. Nothing unknown is fetched."""
    shas = tmp_path / "shas.yaml"
    shas.write_text(yaml.safe_dump({x["canonical"]: "c" * 64 for x in EXPECTED["files"]}))

    def get(**parameters):
        parameters = {"sha_file": str(shas), **parameters}
        ti = Pushed()
        operator = KopsGetAssetsOperator(task_id="get_assets", **parameters)
        found = operator.execute({"ti": ti})
        return json.loads(json.dumps(found)), ti.values

    return get


def canonicals(found):
    return [x["canonical"] for key in KEYS for x in found[key]]


def keys_in_store():
    for document in DOCUMENTS:
        name = document["metadata"]["name"]
        path = "config" if document["kind"] == "Cluster" else f"instancegroup/{name}"
        yield f"kops/{NAME}/{path}", yaml.safe_dump(document).encode()
    yield f"kops/{NAME}/pki/private/ca/keyset.yaml", b"key"


@pytest.mark.component
def test_a_state_store_in_s3_by_the_aws_connection(get_assets, monkeypatch, tmp_path):
    """The connection's keys and endpoint; saved lists and output go the same way."""
    with moto(tmp_path) as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
        server.client().create_bucket(Bucket="state")
        for key, content in keys_in_store():
            server.client().put_object(Bucket="state", Key=key, Body=content)
        where = {"state_store": "s3://state/kops", "cluster_name": NAME, "aws_conn_id": "cloud"}
        output = "s3://state/lists/a.json"
        found, pushed = get_assets(**where, kops_version="1.36.2", output_url=output)
        assert canonicals(found) == canonicals(EXPECTED)
        assert set(pushed["hash_sources"]) == {x["canonical"] for x in EXPECTED["files"]}
        saved, _ = get_assets(asset_list=output, aws_conn_id="cloud")
        requests = server.requests()
    assert saved == found
    assert not [x for x in requests if x.method == "GET" and "pki" in x.target]


@pytest.mark.component
def test_a_state_store_in_gcs_by_the_google_connection(get_assets, monkeypatch, tmp_path):
    """The same for a cluster at Google."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    with gcs_emulator(tmp_path, bucket="state") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        extra = {"is_anonymous": True, "project": "test"}
        value = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(value))
        client = Client(project="test", credentials=AnonymousCredentials())
        for key, content in keys_in_store():
            client.bucket("state").blob(key).upload_from_string(content)
        client.close()
        where = {"state_store": "gs://state/kops", "cluster_name": NAME, "gcp_conn_id": "google"}
        found, _ = get_assets(**where, kops_version="1.36.2")
    assert canonicals(found) == canonicals(EXPECTED)


@pytest.fixture
def kops(tmp_path):
    """A program that replays kops, and notes its environment."""

    def make(script):
        program = tmp_path / "kops"
        program.write_text(
            f"#!/bin/sh\n[ $1 = version ] && {{ echo 1.99.0; exit; }}\n"
            f'env > {tmp_path}/env; echo "$@" > {tmp_path}/argv\n'
            f'cp "$GOOGLE_APPLICATION_CREDENTIALS" {tmp_path}/key 2>/dev/null\n{script}\n'
        )
        program.chmod(0o755)
        where = {"state_store": "s3://state", "cluster_name": NAME, "aws_conn_id": "cloud"}
        return {**where, "kops_command": str(program), "gcp_conn_id": "google"}

    return make


@pytest.fixture
def connections(monkeypatch):
    extra = {"endpoint_url": "https://s3.example.com", "region_name": "eu-west-1"}
    extra["aws_session_token"] = "session-token"
    aws = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "secret", "extra": extra}
    key = {"type": "service_account", "private_key": "google-secret"}
    google = {"conn_type": "google_cloud_platform", "extra": {"keyfile_dict": json.dumps(key)}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(google))
    monkeypatch.setenv("AWS_ROLE_ARN", "of-the-worker")
    monkeypatch.setenv("HCLOUD_TOKEN", "of-the-worker")
    monkeypatch.setenv("DATABASE_PASSWORD", "not for kops")
    return key


PLACES = {
    "AWS_DEFAULT_REGION": "eu-north-1",
    "AWS_REGION": "eu-north-1",
    "AWS_ENDPOINT_URL": "https://aws.example.com",
    "AWS_ENDPOINT_URL_S3": "https://s3.of-the-worker.example.com",
    "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
    "AWS_MAX_ATTEMPTS": "7",
}
IDENTITY = [
    *("AWS_SECURITY_TOKEN", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    *("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"),
]


def environment_of_kops(aws_conn_id):
    with kops_environment(aws_conn_id, "no_such_connection") as env:
        return {k: v for k, v in env.items() if k.startswith("AWS_")}


@pytest.fixture
def worker(monkeypatch):
    """A worker with settings of its own for AWS, and with an identity."""
    for name, value in {**PLACES, **dict.fromkeys(IDENTITY, "/nowhere")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "worker-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "worker-secret")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2099-01-01T00:00:00Z")


def test_a_connection_replaces_the_workers_identity_alone(worker, connections):
    """Where AWS is remains the worker's to say, but for what the connection says of it."""
    assert environment_of_kops("cloud") == PLACES | {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE00001",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session-token",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    }


@pytest.mark.parametrize("aws_conn_id", [None, "bare"])
def test_the_workers_own_keys_go_where_the_worker_says(worker, monkeypatch, aws_conn_id):
    """Without a connection, or by one that has no credentials, all but the identity is kept."""
    monkeypatch.setenv("AIRFLOW_CONN_BARE", '{"conn_type": "aws"}')
    assert environment_of_kops(aws_conn_id) == PLACES | {
        "AWS_ACCESS_KEY_ID": "worker-key",
        "AWS_SECRET_ACCESS_KEY": "worker-secret",
        "AWS_SESSION_TOKEN": "/nowhere",  # by its old name, AWS_SECURITY_TOKEN
    }


def test_kops_gets_the_connections_rights(get_assets, kops, connections, tmp_path):
    """Keys by environment and key file, which is gone afterwards; nothing of Airflow's."""
    found, _ = get_assets(**kops(f"echo '{json.dumps(EXPECTED)}'"))
    assert canonicals(found) == canonicals(EXPECTED)
    assert found["kops_version"] == "1.99.0"
    env = dict(x.split("=", 1) for x in (tmp_path / "env").read_text().splitlines() if "=" in x)
    aws = {k.removeprefix("AWS_"): v for k, v in env.items() if k.startswith("AWS_")}
    aws.pop("CA_BUNDLE", None)  # which authorities to trust is the machine's to say
    assert aws == {
        "ACCESS_KEY_ID": "AKIAEXAMPLE00001",
        "SECRET_ACCESS_KEY": "secret",
        "SESSION_TOKEN": "session-token",
        "REGION": "eu-west-1",
        "ENDPOINT_URL_S3": "https://s3.example.com",
    }
    assert env["KOPS_STATE_STORE"] == "s3://state"
    assert env["HCLOUD_TOKEN"] == "of-the-worker"
    assert not {x for x in env if x.startswith("AIRFLOW") or x == "DATABASE_PASSWORD"}
    assert json.loads((tmp_path / "key").read_text()) == connections
    assert not Path(env["GOOGLE_APPLICATION_CREDENTIALS"]).exists()
    assert "secret" not in (tmp_path / "argv").read_text()


def test_without_connections_kops_has_what_the_worker_has(get_assets, kops, monkeypatch, tmp_path):
    """A connection that is not defined is no error: kOps has its own default chains."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "worker-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "worker-secret")
    parameters = kops(f"echo '{json.dumps(EXPECTED)}'") | {"aws_conn_id": None}
    get_assets(**parameters)
    assert "AWS_ACCESS_KEY_ID=worker-key" in (tmp_path / "env").read_text()
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in (tmp_path / "env").read_text()


def test_the_region_of_a_profile_is_kept(get_assets, kops, monkeypatch, tmp_path):
    """The profile's keys are given to kops, and the profile with its region is not."""
    config = tmp_path / "aws"
    config.write_text(
        "[profile own]\nregion = eu-north-1\n"
        "aws_access_key_id = AKIAEXAMPLE00009\naws_secret_access_key = s\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "own")
    get_assets(**kops(f"echo '{json.dumps(EXPECTED)}'") | {"aws_conn_id": None})
    env = (tmp_path / "env").read_text()
    assert "AWS_ACCESS_KEY_ID=AKIAEXAMPLE00009" in env
    assert "AWS_REGION=eu-north-1" in env
    assert "AWS_PROFILE" not in env


def test_a_task_killed_early_starts_no_kops(kops):
    """Airflow may kill a task before it has come to kops."""
    operator = KopsGetAssetsOperator(task_id="x", **kops("sleep 60") | {"aws_conn_id": None})
    operator.on_kill()
    with pytest.raises(StoppedError):
        operator.make_list()


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("echo 'Error: cluster not found' >&2; exit 1", AirflowFailException, "cluster not found"),
        ("echo 'Error: i/o timeout' >&2; exit 1", TransientError, "i/o timeout"),
        ('echo "Error: $AWS_SECRET_ACCESS_KEY" >&2; exit 1', AirflowFailException, r"\*\*\*"),
    ],
)
def test_kops_errors_become_airflows(get_assets, kops, connections, script, error, words):
    """What may pass is tried again, all else fails at once; no secret is told."""
    with pytest.raises(error, match=words) as caught:
        get_assets(**kops(script))
    assert "secret" not in str(caught.value)


def test_warnings_are_in_the_result_and_the_log(get_assets, caplog):
    """Whoever reads either learns what will bite."""
    extras = '["quay.io/a/b:latest"]'
    found, _ = get_assets(cluster_spec=str(SPEC), kops_version="1.36.2", extra_images=extras)
    assert {x["code"] for x in found["warnings"]} == {"mutable-tag"}
    assert "mutable-tag: quay.io/a/b:latest" in caplog.text


def test_extras_may_be_templates(get_assets):
    """Rendered they are text: JSON of a list or a mapping, or nothing."""
    listed = {"cluster_spec": str(SPEC), "kops_version": "1.36.2"}
    nothing = {"extra_images": "", "extra_files": "None", "kubernetes_version": "null"}
    plain, _ = get_assets(**listed, **nothing, nearest_release="False")
    assert canonicals(plain) == canonicals(EXPECTED)
    files = json.dumps({"https://x.example.com/a": "a" * 64})
    more, _ = get_assets(**listed, extra_files=files, extended="true")
    assert set(canonicals(more)) - set(canonicals(plain)) >= {"https://x.example.com/a"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "cluster_spec: it is not set"),
        ({"state_store": "s3://x", "cluster_name": ""}, "cluster_name: it is not set"),
        ({"state_store": "azureblob://x", "cluster_name": "a"}, "s3://bucket/prefix"),
        ({"cluster_spec": "x", "kops_version": "1", "extra_images": "{"}, "not JSON"),
        ({"cluster_spec": "x", "kops_version": "1", "extra_images": "{}"}, None),
        ({"cluster_spec": "x", "kops_version": "1", "extra_images": [1]}, "a list of names"),
        ({"cluster_spec": "x", "kops_version": "1", "extra_files": {"a": 1}}, "SHA-256 or null"),
        ({"asset_list": "/nowhere.json"}, "no such document"),
        ({"asset_list": "x.json"}, "s3://bucket/prefix"),
        ({"cluster_spec": str(SPEC), "kops_version": "1.36.2", "output_url": "/x.txt"}, ".json"),
        ({"asset_list": "x", "kops_command": "kops"}, "give one of them"),
        ({"cluster_spec": "x", "kops_version": "[1]"}, "expected a version in quotes"),
        ({"cluster_spec": str(SPEC), "kops_version": "1.36.2", "kubernetes_version": "new"}, "no"),
    ],
)
def test_bad_input_is_one_clear_error(get_assets, parameters, words):
    """It fails at once: retrying cannot help."""
    with pytest.raises(AirflowFailException, match=words):
        get_assets(**parameters)


def test_a_thousand_assets_pass(get_assets, tmp_path):
    """As plain JSON, beside the sources of their hashes."""
    rows = [
        {"canonical": f"quay.io/a/b:{n}", "download": f"r.example.com/b:{n}"} for n in range(500)
    ]
    files = [
        {"canonical": f"https://a/{n}", "download": f"https://b/{n}", "sha": f"{n:064x}"}
        for n in range(500)
    ]
    saved = tmp_path / "prod.example.com.json"
    saved.write_text(json.dumps({"images": rows, "files": files}))
    found, pushed = get_assets(asset_list=str(saved))
    assert len(canonicals(found)) == 1000
    assert len(pushed["hash_sources"]) == 500
    assert len(json.dumps(found)) < 200_000


@pytest.mark.timeout(30)
@pytest.mark.parametrize("option", ["cluster_spec", "sha_file", "asset_list"])
def test_a_pipe_fails_the_task(get_assets, tmp_path, option):
    """A worker waits for none, nor for its own standard input."""
    os.mkfifo(tmp_path / "pipe")
    options = {"cluster_spec": str(SPEC), "kops_version": "1.36.2"}
    with pytest.raises(AirflowFailException, match="it is a pipe, not a regular file"):
        get_assets(**options | {option: str(tmp_path / "pipe")})
    with pytest.raises(AirflowFailException, match="cannot be read"):
        get_assets(**options | {"cluster_spec": "-"})
