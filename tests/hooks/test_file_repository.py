"""File repositories are opened through Airflow's connections."""

import json

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.content import Content
from kops_assets_provider.hooks.file_repository import S3FileRepositoryHook, open_file_stores
from kops_assets_provider.testing.components import gcs_emulator, moto

CONTENT = b"nodeup"


def write_and_stat(stores, download):
    store, path = stores.open(download)
    assert store.stat(path) is None
    store.write(path, Content.of("nodeup", CONTENT))
    return store.stat(path)


@pytest.mark.component
def test_s3_is_opened_through_the_aws_connection(monkeypatch, tmp_path):
    """A custom endpoint on the connection is honoured, also where the body is streamed."""
    with moto(tmp_path) as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
        server.client().create_bucket(Bucket="kops")
        stores = open_file_stores({}, "cloud", "google_cloud_default")
        stored = write_and_stat(stores, "https://kops.s3.us-east-1.amazonaws.com/a/nodeup")
    assert stored.size == len(CONTENT)


@pytest.mark.component
def test_gcs_is_opened_through_the_google_connection(monkeypatch, tmp_path):
    """Google's own URL needs no entry in ``file_targets``."""
    with gcs_emulator(tmp_path, bucket="kops") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        extra = {"is_anonymous": True, "project": "test"}
        value = {"conn_type": "google_cloud_platform", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_GOOGLE", json.dumps(value))
        stores = open_file_stores({}, None, "google")
        stored = write_and_stat(stores, "https://storage.googleapis.com/kops/a/nodeup")
    assert stored.size == len(CONTENT)


def test_a_directory_needs_no_connection(tmp_path):
    """A prefix of the download URL is mapped to it."""
    targets = {"https://files.example.com/kops": str(tmp_path)}
    stores = open_file_stores(targets, "no_such_connection", "no_such_connection")
    assert write_and_stat(stores, "https://files.example.com/kops/a/nodeup").size == len(CONTENT)
    assert (tmp_path / "a" / "nodeup").read_bytes() == CONTENT


def test_a_connection_that_verifies_nothing_is_refused(monkeypatch):
    """No option anywhere disables a check."""
    value = {"conn_type": "aws", "login": "a", "password": "s", "extra": {"verify": False}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
    with pytest.raises(InvalidInputError, match="verify is false"):
        S3FileRepositoryHook("cloud").get_store("kops")


def test_a_place_may_be_named_in_any_form(tmp_path):
    """The mirror's record lies at a place or below a download URL."""
    stores = open_file_stores({"https://files.example.com": str(tmp_path)}, None, "x")
    assert stores.open_place(str(tmp_path / "r"), "c.json")[1] == "c.json"
    assert stores.open_place("https://files.example.com/r/", "c.json")[1] == "r/c.json"
