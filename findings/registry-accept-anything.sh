#!/bin/sh
# "Accept: */*" is what curl sends. By RFC 9110 it accepts every media type, as a request without Accept
# does. The registry compares names only, so with either of them, and with "application/*":
# - an OCI index that is there is answered with 404, by tag and by digest;
# - a tag of a Docker manifest list is answered with 200 and a document that nobody has pushed: the
#   linux/amd64 image, written anew in the older format, schema 1, under a digest of its own. Asked
#   for that digest, the registry answers 404.
# Expected: the document that was pushed. A mirror that compares the digests of HEAD without naming all
# types copies an image every night, or calls it missing.
# docker-registry 2.8.2 of Debian 12; https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import json
import sys
from pathlib import Path

from expect import expect
from registry import INDEX, MANIFEST, descriptor, digest, index, manifest, registry, write_config

DOCKER = "application/vnd.docker"
LIST = f"{DOCKER}.distribution.manifest.list.v2+json"
IMAGE = f"{DOCKER}.distribution.manifest.v2+json"
PLATFORM = {"os": "linux", "architecture": "amd64"}
LAYER = b"layer"


def docker_image(server):
    """Push a Docker image with all that its configuration must have."""
    rootfs = {"type": "layers", "diff_ids": [digest(LAYER)]}
    history = [{"created": "2024-01-01T00:00:00Z"}]
    config = json.dumps({**PLATFORM, "config": {}, "rootfs": rootfs, "history": history}).encode()
    server.push_blob("image", config)
    layer = descriptor(LAYER, f"{DOCKER}.image.rootfs.diff.tar.gzip")
    image = manifest(descriptor(config, f"{DOCKER}.container.image.v1+json"), [layer], IMAGE)
    assert server.push("image", digest(image), image, IMAGE).status == 201
    return image


with registry(write_config(Path(sys.argv[1]))) as server:
    image = server.push_image("image", layer=LAYER)
    oci = index(descriptor(image, MANIFEST, platform=PLATFORM))
    assert server.push("image", "oci", oci, INDEX).status == 201
    image = docker_image(server)
    docker = index(descriptor(image, IMAGE, platform=PLATFORM), media_type=LIST)
    assert server.push("image", "docker", docker, LIST).status == 201
    pushed = {digest(oci), digest(docker), digest(image)}

    def head(reference, headers):
        return server.send("HEAD", f"/v2/image/manifests/{reference}", **headers)

    expect("OCI index, its type accepted", head("oci", {"Accept": INDEX}).status, 200)
    expect("Docker list, its type accepted", head("docker", {"Accept": LIST}).status, 200)
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/*"}):
        print(f"{headers or 'no Accept'}:")
        expect("  OCI index by tag", head("oci", headers).status, 404)
        expect("  OCI index by digest", head(digest(oci), headers).status, 404)
        answer = head("docker", headers)
        expect("  Docker list by tag", answer.status, 200)
        schema1 = f"{DOCKER}.distribution.manifest.v1+prettyjws"
        expect("    its Content-Type", answer.headers["content-type"], schema1)
        other = answer.headers["docker-content-digest"]
        expect("    its digest is one that was pushed", other in pushed, False)
        expect("    asked for that digest", head(other, headers).status, 404)
PYTHON
