"""Images out of nothing: valid, shared where they should be, and always the same."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from tests.support.images import ImageKind, make_image


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_same_name_same_image():
    """An image depends on its arguments and on nothing else."""
    assert make_image("a") == make_image("a")
    assert make_image("a").digest != make_image("b").digest


def test_base_layers_are_shared():
    """Images with the same seed have their base layers in common, and only these."""
    one, two = (make_image(name, layers=3, base_layers=2) for name in ("one", "two"))
    assert len(set(one.blobs) & set(two.blobs)) == 2 * 2
    other = make_image("two", layers=3, base_layers=2, seed="other")
    assert not set(one.blobs) & set(other.blobs)


@pytest.mark.parametrize("kind", ImageKind)
def test_image_is_closed(kind):
    """Every digest is that of the bytes, every size is right, and every part is there once."""
    image = make_image("app", kind=kind, platforms=("linux/amd64", "linux/arm64", "linux/arm/v7"))
    used = {image.digest}
    for digest, manifest in image.manifests.items():
        assert digest == digest_of(manifest.data)
        content = json.loads(manifest.data)
        assert content["mediaType"] == manifest.media_type
        for part in [*content.get("manifests", []), *content.get("layers", [])] + (
            [content["config"]] if "config" in content else []
        ):
            found = image.blobs.get(part["digest"]) or image.manifests[part["digest"]].data
            assert (digest_of(found), len(found)) == (part["digest"], part["size"])
            used.add(part["digest"])
    assert used == {*image.blobs, *image.manifests}
    assert len(image.manifests) == (4 if kind.has_platforms else 1)


def test_layers_are_what_the_config_says():
    """A layer is a gzipped tar, of the size that was asked, and diff_ids are of the tars."""
    image = make_image("app", kind=ImageKind.OCI_MANIFEST, layers=2, size=10_000)
    manifest = json.loads(image.top.data)
    config = json.loads(image.blobs[manifest["config"]["digest"]])
    tars = [gzip.decompress(image.blobs[layer["digest"]]) for layer in manifest["layers"]]
    assert config["rootfs"]["diff_ids"] == [digest_of(tar) for tar in tars]
    for tar in tars:
        with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
            assert [member.size for member in opened.getmembers()] == [10_000]


def test_platforms_are_in_the_index_and_in_the_configs():
    """An index names the platforms of its manifests, variants included."""
    image = make_image(platforms=("linux/arm/v7",))
    (child,) = json.loads(image.top.data)["manifests"]
    assert child["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}
