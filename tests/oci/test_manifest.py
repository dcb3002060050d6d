"""Manifests are read as the image spec has them, and hostile ones are refused."""

import json

import pytest

from kops_assets_provider.exceptions import InvalidManifestError, InvalidReferenceError
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import (
    DOCKER_LIST,
    MAX_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    parse_manifest,
)
from kops_assets_provider.oci.reference import Reference
from tests.support.images import ImageKind, make_image

CONFIG = {"mediaType": "application/json", "digest": "sha256:" + "a" * 64, "size": 2}


def manifest(**changes):
    document = {"schemaVersion": 2, "config": CONFIG, "layers": []} | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


@pytest.mark.parametrize("kind", list(ImageKind))
def test_every_kind_of_image_is_read(kind):
    """OCI and Docker, with platforms and without."""
    image = make_image(kind=kind)
    found = parse_manifest(image.top.data, image.top.media_type)
    assert found.digest == image.digest
    assert found.raw == image.top.data
    assert len(found.children) == (2 if kind.has_platforms else 0)
    assert len(found.blobs) == (0 if kind.has_platforms else 3)


def test_platforms_are_named():
    """An index tells what its children are for."""
    image = make_image(platforms=["linux/amd64", "linux/arm64/v8"])
    children = parse_manifest(image.top.data, OCI_INDEX).children
    assert [x.platform for x in children] == ["linux/amd64", "linux/arm64/v8"]


def test_a_manifest_without_media_type_is_known_by_its_content_type():
    """``mediaType`` is optional in OCI manifests."""
    assert parse_manifest(manifest(), f"{OCI_MANIFEST}; charset=utf-8").media_type == OCI_MANIFEST


def test_foreign_layers_are_not_copied():
    """Layers that their owner forbids to distribute stay at their own URLs."""
    foreign = CONFIG | {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}
    found = parse_manifest(manifest(layers=[foreign]), OCI_MANIFEST)
    assert [x.digest for x in found.blobs] == [CONFIG["digest"]]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"layers": [], "layers": []}',
        manifest(manifests=[]),
        manifest().decode().encode("utf-16"),
        manifest().decode().encode("utf-16-le"),
        manifest().decode().encode("utf-32"),
        b"\xef\xbb\xbf" + manifest(),
        manifest().replace(b'"config"', b'"\xff": 1, "config"'),
        manifest().replace(b": 2", b": 2" + b"0" * 5000),
        manifest(config=None),
        manifest(layers=None),
        manifest(layers=[CONFIG] * 1001),
        manifest(x=[[]] * 100_000),
        manifest(x={str(n): 0 for n in range(100_000)}),
        manifest(mediaType=OCI_INDEX),
        manifest(mediaType=7),
        manifest(layers=["sha256:x"]),
        manifest(layers=[CONFIG | {"size": -1}]),
        manifest(layers=[CONFIG | {"size": 1.5}]),
        manifest(layers=[CONFIG | {"size": True}]),
        manifest(layers=[CONFIG | {"size": 2**62}]),
        manifest(layers=[CONFIG | {"mediaType": None}]),
        manifest(layers=[CONFIG | {"digest": "sha256:../../x"}]),
        manifest(layers=[CONFIG | {"digest": "sha256:" + "A" * 64}]),
        manifest(layers=[CONFIG | {"digest": "md5:" + "a" * 32}]),
        manifest(layers=[CONFIG | {"digest": "sha512:" + "a" * 128}]),
        b" " * (MAX_MANIFEST + 1),
    ],
)
def test_a_hostile_manifest_is_refused(raw):
    """No depth, size, digest or double meaning of a server's choosing gets further than here."""
    with pytest.raises(InvalidManifestError):
        parse_manifest(raw, OCI_MANIFEST)


OTHER = CONFIG | {"digest": "sha256:" + "b" * 64}


@pytest.mark.parametrize(
    "raw",
    [
        manifest(Layers=[OTHER]),
        manifest(layers=[OTHER]).replace(b"layers", "layer\N{LATIN SMALL LETTER LONG S}".encode()),
        manifest(CONFIG=OTHER),
        manifest(Manifests=[OTHER]),
        manifest(MediaType=OCI_INDEX),
        manifest(layers=[CONFIG | {"Digest": OTHER["digest"]}]),
        manifest(layers=[CONFIG | {"sIze": 3}]),
        manifest(config=CONFIG | {"MediaType": OCI_INDEX}),
    ],
)
def test_a_field_in_another_spelling_is_refused(raw):
    """Go's reader, which nodes use, would take it for the field and pull what was not copied."""
    with pytest.raises(InvalidManifestError, match="other readers take for"):
        parse_manifest(raw, OCI_MANIFEST)


def test_a_platform_in_another_spelling_is_refused():
    """A node would choose another child of the index than the one that was copied for it."""
    platform = {"os": "linux", "architecture": "amd64", "Architecture": "arm64"}
    child = CONFIG | {"mediaType": OCI_MANIFEST, "platform": platform}
    raw = json.dumps({"schemaVersion": 2, "manifests": [child]}).encode()
    with pytest.raises(InvalidManifestError, match="other readers take for 'architecture'"):
        parse_manifest(raw, OCI_INDEX)


@pytest.mark.parametrize(
    "raw",
    [
        manifest(schemaVersion=1),
        manifest(schemaVersion="2"),
        manifest(schemaVersion=2.0),
        manifest(schemaVersion=True),
        manifest(fsLayers=[{"blobSum": "sha256:" + "b" * 64}]),
        manifest(artifactType=7),
        manifest(subject="x"),
        manifest(layers=[CONFIG | {"urls": "https://example.com"}]),
        manifest(layers=[CONFIG | {"urls": [7]}]),
        manifest(layers=[CONFIG | {"data": "no base64!"}]),
        manifest(layers=[CONFIG | {"mediaType": ""}]),
        manifest(layers=[CONFIG | {"mediaType": OCI_MANIFEST}]),
        manifest(config=CONFIG | {"mediaType": OCI_INDEX}),
    ],
)
def test_a_manifest_that_containerd_cannot_read_is_refused(raw):
    """A value of the wrong type makes all of it unreadable for a reader with types."""
    with pytest.raises(InvalidManifestError):
        parse_manifest(raw, OCI_MANIFEST)


def test_keys_of_others_have_any_spelling():
    """Annotations and fields that no format has are not read by anybody."""
    annotations = {"Layers": "x", "layers": "y", "SIZE": "z"}
    raw = manifest(layers=[CONFIG | {"annotations": annotations}], X=1, x=2, artifactType=None)
    assert len(parse_manifest(raw, OCI_MANIFEST).blobs) == 2


@pytest.mark.parametrize("media_type", [OCI_INDEX, DOCKER_LIST])
def test_an_index_of_nothing_is_refused(media_type):
    """A node could pull nothing of it, so it is no image."""
    raw = json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": []}).encode()
    with pytest.raises(InvalidManifestError, match="names no manifests"):
        parse_manifest(raw, media_type)


@pytest.mark.parametrize(
    "text", [f"sha512:{'a' * 128}", "sha384:" + "a" * 96, "blake3:" + "a" * 64]
)
def test_another_algorithm_than_sha256_is_refused(text):
    """Nodes with containerd 1.6 or 1.7 could not pull it; the message says so."""
    with pytest.raises(InvalidManifestError, match=r"sha256:<64 hex digits>; containerd 1\.6 and"):
        Digest(text)
    with pytest.raises(InvalidReferenceError, match=r"containerd 1\.6 and 1\.7 can pull no others"):
        Reference.parse(f"registry.k8s.io/pause@{text}")


def test_an_old_or_foreign_kind_is_refused_by_name():
    """Docker's schema 1 cannot be copied; the message says what it was."""
    with pytest.raises(InvalidManifestError, match="v1\\+prettyjws"):
        parse_manifest(b"{}", "application/vnd.docker.distribution.manifest.v1+prettyjws")


def test_a_manifest_list_may_not_hide_in_an_index():
    """What it is sent as and what it calls itself must be the same."""
    image = make_image(kind=ImageKind.DOCKER_MANIFEST_LIST)
    with pytest.raises(InvalidManifestError, match="calls itself"):
        parse_manifest(image.top.data, OCI_INDEX)
    assert parse_manifest(image.top.data, DOCKER_LIST).digest == Digest.of(image.top.data)
