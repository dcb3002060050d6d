"""What images and files are called in OpenLineage."""

import pytest

from kops_assets_provider.exceptions import InvalidReferenceError
from kops_assets_provider.mirror.model.asset import Kind
from kops_assets_provider.mirror.places.lineage import dataset

TARGETS = {
    "https://cdn.example.com/kops": "s3://bucket/prefix",
    "https://cdn.example.com/google": "gs://bucket",
    "https://cdn.example.com/disk": "/srv/mirror/",
}
DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("registry.k8s.io/pause:3.10", ("oci://registry.k8s.io", "pause:3.10")),
        ("nginx", ("oci://docker.io", "library/nginx:latest")),
        (f"r.example.com:5000/a/b:1@{DIGEST}", ("oci://r.example.com:5000", f"a/b@{DIGEST}")),
    ],
)
def test_an_image_is_in_its_registry(name, expected):
    """A digest says more than a tag."""
    assert dataset(Kind.IMAGE, name) == expected


@pytest.mark.parametrize(
    ("url", "expected", "host"),
    [
        ("https://b.s3.eu-west-1.amazonaws.com/a/b", ("s3://b", "a/b"), "b"),
        ("https://storage.googleapis.com/b/a", ("gs://b", "a"), "b"),
        ("https://cdn.example.com/kops/a", ("s3://bucket", "prefix/a"), "bucket"),
        ("https://cdn.example.com/google/a", ("gs://bucket", "a"), "bucket"),
        ("https://cdn.example.com/disk/a", ("file", "/srv/mirror/a"), "file"),
        (
            "https://user:secret@dl.example.com:8443/a/b?token=secret",
            ("https://dl.example.com:8443", "/a/b"),
            "dl.example.com:8443",
        ),
        ("https://b.s3.eu-west-1.amazonaws.com/../a", None, "b.s3.eu-west-1.amazonaws.com"),
    ],
)
def test_a_file_is_where_it_is_written(url, expected, host):
    """In its bucket, whatever it is downloaded through; else on its web server."""
    found = dataset(Kind.FILE, url, TARGETS)
    assert found.host == host
    assert expected is None or found == expected


def test_what_is_no_image_has_no_name():
    """The copy fails of it anyway."""
    with pytest.raises(InvalidReferenceError):
        dataset(Kind.IMAGE, "NOT an image")
