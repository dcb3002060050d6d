"""The registries of a list, and above all ECR: its repositories, its mounts, its tags."""

import json
from contextlib import ExitStack

import boto3
import pytest
import trustme

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError, RequestRejectedError
from kops_assets_provider.hooks.registries import open_registries, read_ecr_repositories
from kops_assets_provider.mirror.places.cloud_registries import EcrRepositories
from kops_assets_provider.mirror.places.registries import Registries, anonymous
from kops_assets_provider.oci.copy import copy_images
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.tree import read_tree
from tests.copies import copy_between
from tests.support.components import moto
from tests.support.connect_proxy import ConnectProxy
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import BasicAuth, OciRegistryServer, Quirks

ACCOUNT = "123456789012"
ECR = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
QUIRKS = Quirks(immutable_tags=True, require_existing_repositories=True, mount_needs_manifest=True)


class EcrServer(OciRegistryServer):
    """The half of ECR that moto does not play: it has the repositories that moto has."""

    def __init__(self, client, **options):
        super().__init__(auth=BasicAuth("AWS", f"{ACCOUNT}-auth-token"), quirks=QUIRKS, **options)
        self.client = client

    def answer(self, request):
        for found in self.client.describe_repositories()["repositories"]:
            self.storage.create_repository(found["repositoryName"])
        return super().answer(request)


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A boto3 client for moto's ECR, which the connection ``cloud`` leads to as well."""
    with moto(tmp_path / "moto") as server:
        extra = {"endpoint_url": server.url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": "AKIAEXAMPLE00001", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(value))
        keys = {"aws_access_key_id": "AKIAEXAMPLE00001", "aws_secret_access_key": "s"}
        yield boto3.client("ecr", endpoint_url=server.url, region_name="eu-west-1", **keys)


@pytest.fixture
def ecr(client, tmp_path, monkeypatch):
    """The registry behind ECR's own name, which only a proxy knows."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert(ECR).private_key_and_cert_chain_pem
    issued.write_to_path(tmp_path / "server.pem")
    with ExitStack() as stack:
        server = stack.enter_context(EcrServer(client, certificate=tmp_path / "server.pem"))
        proxy = stack.enter_context(ConnectProxy({ECR: server.host}))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        yield server


@pytest.fixture
def source():
    """A registry with two images that share a layer, and config and layer of their own."""
    with OciRegistryServer() as server:
        for name in ("one", "two"):
            put_image(server, f"{name}:1", make_image(name, platforms=["linux/amd64"]))
        yield server


def open_all(ecr_repositories):
    return open_registries({}, {}, "cloud", "google_cloud_default", ecr_repositories)


def copy(registries, source, name="one", tag="1"):
    return copy_between(
        *registries.source(f"{source.host}/{name}:1"),
        *registries.target(f"{ECR}/kops/{name}:{tag}"),
    )


@pytest.mark.component
def test_an_image_is_copied_into_a_repository_that_was_missing(ecr, source, client):
    """It is made once, by the AWS connection, and the image is whole in it."""
    assert copy(open_all({}), source).copied
    (made,) = client.describe_repositories()["repositories"]
    assert made["repositoryName"] == "kops/one"
    assert not copy(open_all({}), source).copied
    assert (
        ecr.storage.find_tag("kops/one", "1") == make_image("one", platforms=["linux/amd64"]).digest
    )


@pytest.mark.component
@pytest.mark.usefixtures("ecr")
def test_without_the_parameter_no_repository_is_made(source, client):
    """The error says how to have it made."""
    with pytest.raises(NotFoundError, match=r"no repository kops/one; .*ecr_repositories"):
        copy(open_all(None), source)
    assert client.describe_repositories()["repositories"] == []


@pytest.mark.component
@pytest.mark.usefixtures("ecr")
def test_a_tag_that_may_not_move_is_refused(source):
    """Its repository is immutable, and has another image under it."""
    registries = open_all({"image_tag_mutability": "IMMUTABLE"})
    copy(registries, source)
    put_image(source, "one:1", make_image("another"))
    with pytest.raises(RequestRejectedError, match="TAG_INVALID"):
        copy(open_all({}), source)


@pytest.mark.component
def test_a_connection_for_a_host_of_ecr_leaves_it_one(ecr, source, monkeypatch, tmp_path):
    """Its login is the connection's; repositories are made by the AWS connection all the same."""
    value = {
        "conn_type": "oci_registry",
        "host": ECR,
        "login": "AWS",
        "password": f"{ACCOUNT}-auth-token",
        "extra": {"ca_file": str(tmp_path / "ca.pem")},
    }
    monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(value))
    registries = open_registries({ECR: "reg"}, {}, "cloud", "google_cloud_default", {})
    assert copy(registries, source).copied
    assert registries.target(f"{ECR}/kops/one:1")[0].mounts_published


def sent_together(source, server, registries, host):
    """Copy both images at once; return how often bytes were sent for each blob."""
    jobs = []
    for name in ("one", "two"):
        image, reference = registries.source(f"{source.host}/{name}:1")
        target, _ = registries.target(f"{host}/kops/{name}:1")
        root = image.fetch_manifest(reference.pull_by)
        jobs.append(
            ImageJob(
                source=image, target=target, push_as="1", tree=read_tree(image, root, root.digest)
            )
        )
    results = copy_images(jobs)
    assert [x.error for x in results] == [None, None]
    sent = [x for x in server.requests if x.method == "PUT" and "/blobs/uploads/" in x.path]
    return len(sent)


@pytest.mark.component
def test_images_that_share_blobs_send_them_once_to_ecr(ecr, source):
    """It mounts what a manifest names already, so one image is published before the other."""
    blobs = make_image("one", platforms=["linux/amd64"]).blobs
    blobs |= make_image("two", platforms=["linux/amd64"]).blobs
    assert sent_together(source, ecr, open_all({}), ECR) == len(blobs) == 5


def test_as_any_other_registry_ecr_would_get_them_twice(source):
    """So the profile is what makes the difference."""
    with OciRegistryServer(quirks=Quirks(mount_needs_manifest=True)) as server:
        # Or one image might be published, by chance, before the other one asks for its blob.
        server.inject(Fault("PUT", "/manifests/", times=None, delay=1.0))
        assert sent_together(source, server, Registries(anonymous), server.host) == 6


def test_no_options_mean_ecrs_defaults():
    """And None means that no repository is made."""
    assert read_ecr_repositories({}) == EcrRepositories()
    assert read_ecr_repositories(None) is None


def test_options_may_be_text():
    """As a template leaves them."""
    options = {
        "image_tag_mutability": "IMMUTABLE",
        "scan_on_push": "True",
        "encryption_type": "KMS",
        "kms_key": "alias/mirror",
        "lifecycle_policy": '{"rules": []}',
        "tags": '{"team": "platform"}',
    }
    read = read_ecr_repositories(options)
    assert read == read_ecr_repositories(
        {
            **options,
            "scan_on_push": True,
            "lifecycle_policy": {"rules": []},
            "tags": {"team": "platform"},
        }
    )
    assert read.scan_on_push is True
    assert json.loads(read.lifecycle_policy) == {"rules": []}


def test_all_that_is_wrong_is_told_at_once():
    """Before any registry is opened."""
    options = {
        "image_tag_mutability": "NEVER",
        "scan_on_push": "maybe",
        "encryption_type": "ROT13",
        "kms_key": "alias/mirror",
        "lifecycle_policy": "none",
        "tags": {"team": 5},
        "expire": True,
    }
    with pytest.raises(InvalidInputError, match="parameter ecr_repositories: ") as caught:
        open_all(options)
    problems = caught.value.problems
    assert len(problems) == 7
    for option in options:
        assert any(x.startswith((option, repr(option))) for x in problems)
