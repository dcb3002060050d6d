"""What a night without changes asks for a fleet of 200 clusters, counted by the servers."""

import hashlib
import json
import random
from base64 import b64encode

import pytest

from kops_assets_provider.files.s3 import S3Store
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.mirror.lists.fleet import lists_of, read_listed
from kops_assets_provider.mirror.lists.fleet_lists import make_fleet_list
from kops_assets_provider.mirror.lists.request import ListRequest
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.mirror.plan.files import plan_files
from kops_assets_provider.mirror.plan.images import plan_images
from tests.support.asset_lists import asset_list
from tests.support.images import make_image, put_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.s3_server import S3Server

CLUSTERS, IMAGES, FILES = 200, 37, 13  # of each cluster
ALL_IMAGES, ALL_FILES = 370, 130
BASE = "https://files.example.com"


@pytest.fixture(scope="module")
def servers():
    """Source and target with all images, and a bucket with all files."""
    with OciRegistryServer() as source, OciRegistryServer() as target, S3Server() as bucket:
        image = make_image("same", layers=1)
        for number in range(ALL_IMAGES):
            put_image(source, f"i{number}:1", image)
            put_image(target, f"kops/i{number}:1", image)
        client = bucket.client()
        for number in range(ALL_FILES):
            raw = f"file {number}".encode()
            sha = hashlib.sha256(raw)
            client.put_object(
                Bucket="files",
                Key=f"f{number}",
                Body=raw,
                ChecksumSHA256=b64encode(sha.digest()).decode(),
            )
            client.put_object(Bucket="files", Key=f"f{number}.sha256", Body=sha.hexdigest())
        yield source, target, bucket


@pytest.fixture
def requests(servers, tmp_path):
    """Saved lists, of which any two clusters share some assets."""
    source, target, _ = servers
    chosen = random.Random(1)  # the same ones each time
    found = {}
    for number in range(CLUSTERS):
        name, path = f"c{number}.example.com", tmp_path / f"c{number}.json"
        images = chosen.sample(range(ALL_IMAGES), IMAGES)
        files = chosen.sample(range(ALL_FILES), FILES)
        path.write_text(json.dumps(assets(name, source, target, images, files)))
        found[name] = ListRequest(asset_list=str(path), cluster_name=name)
    return found


def assets(cluster, source, target, images, files):
    return asset_list(
        cluster,
        [(f"{source.host}/i{x}:1", f"{target.host}/kops/i{x}:1") for x in images],
        [(f"https://dl.example.com/f{x}", f"{BASE}/f{x}", f"file {x}".encode()) for x in files],
    )


def test_a_night_without_changes(servers, requests):
    """10,000 references are 500 assets: two requests for each image, one for each file."""
    bucket = servers[2]
    listed = read_listed(json.loads(json.dumps(make_fleet_list("g", requests).to_dict())), "XCom")
    union = listed.assets
    assert sum(len(x.assets.images) + len(x.assets.files) for x in lists_of(listed)) == 10_000
    assert (len(union.images), len(union.files)) == (ALL_IMAGES, ALL_FILES)
    for server in servers:
        server.clear()
    store = S3Store(bucket.client(), HttpClient(), "files")
    stores = FileStores({Scheme.S3: lambda _: store}, {BASE: "s3://files"})
    plans = plan_images(union.images, Registries()), plan_files(union.files, stores)
    assert [len(x.to_copy) for x in plans] == [0, 0]
    asked = [len(x.requests) for x in servers]
    assert asked == [ALL_IMAGES, ALL_IMAGES, ALL_FILES + 1]
    assert sum(asked) <= 2 * (len(union.images) + len(union.files))
