"""The images: as many blobs as said, the same each time, and valid."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections import Counter

import pytest

from benchmarks.images.image_set import Layer, planned_images
from benchmarks.images.layers import write_layer
from benchmarks.images.storage import write_images


def test_full_size():
    """2.08 GB of layers, 3.68 GB if every image is copied alone."""
    layers = [x for image in planned_images() for each in image.layers.values() for x in each]
    assert len(layers) == 144
    assert len(set(layers)) == 90
    assert sum(x.size for x in set(layers)) == pytest.approx(2.08e9, rel=0.005)
    assert sum(x.size for x in layers) == pytest.approx(3.68e9, rel=0.005)


@pytest.mark.parametrize("scale", [1, 0.01, 0.00001])
def test_layers_are_as_many_at_any_scale(scale):
    """Equal names have equal sizes, too: else there would be more."""
    layers = {x for image in planned_images(scale) for each in image.layers.values() for x in each}
    assert len(layers) == len({x.name for x in layers}) == 90


def test_blobs_and_references(tmp_path):
    """114 blobs and 168 references to them are in the storage, and 36 manifests."""
    images = write_images(tmp_path, planned_images(0.0001))
    assert len(images.digests) == 12
    assert len(images.blobs) == 114
    assert len(images.references) == 168
    root = tmp_path / "docker/registry/v2"
    counts = Counter(path.parts[-4] for path in root.glob("repositories/**/sha256/*/link"))
    assert len(list(root.glob("blobs/sha256/*/*/data"))) == 114 + 36
    assert counts == {"_layers": 168, "revisions": 36, "index": 12}


def test_storage_is_named_by_digest(tmp_path):
    """What is in a file is what its name says."""
    write_images(tmp_path, planned_images(0.0001)[:2])
    for path in tmp_path.glob("docker/registry/v2/blobs/sha256/*/*/data"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name


def test_same_images_each_time(tmp_path):
    """Figures of two days are of the same bytes."""
    first, second = (write_images(tmp_path / x, planned_images(0.0001)) for x in "ab")
    assert first == second


def test_layer_is_a_gzipped_tar_that_does_not_shrink():
    """A client that unpacks it finds a file; one that packs it gains nothing."""
    file = io.BytesIO()
    blob = write_layer(Layer("app/1", 1_500_000), file)
    packed = file.getvalue()
    assert blob.size == len(packed) > 1_500_000
    assert blob.digest == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    tar = gzip.decompress(packed)
    assert blob.diff_id == f"sha256:{hashlib.sha256(tar).hexdigest()}"
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        content = archive.extractfile("app-1").read()
    assert len(content) == 1_500_000
    assert len(gzip.compress(content)) > 1_499_000


def test_configs_name_the_layers(tmp_path):
    """Each manifest's config has as many layers as the manifest."""
    write_images(tmp_path, planned_images(0.0001)[:1])
    blobs = tmp_path / "docker/registry/v2/blobs/sha256"
    texts = [path.read_bytes() for path in blobs.glob("*/*/data")]
    documents = [json.loads(text) for text in texts if text.startswith(b"{")]
    configs = [x for x in documents if "rootfs" in x]
    assert {x["architecture"] for x in configs} == {"amd64", "arm64"}
    assert all(len(x["rootfs"]["diff_ids"]) == 6 for x in configs)
