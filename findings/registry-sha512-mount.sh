#!/bin/sh
# A registry takes a blob under its sha512 digest and serves it. Asked to mount that blob into another
# repository it answers 201, which the specification defines as "the blob is there now", and from then
# on answers 500 for it. It also answers 201 to an image there that needs the blob. Expected: 201 and
# the blob, or 202 and an upload session.
# A mirror that mounts instead of uploading reports an image as copied that no node can pull.
# docker-registry 2.8.2 with the configuration of Debian 12's package. Without that configuration's
# cache the mount is the same, the blob is not found (404) and the image is refused (400).
# https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import sys
from pathlib import Path

from expect import expect
from registry import CONFIG, LAYER, descriptor, digest, manifest, registry, write_config

blob, config = b"a layer", b"{}"
name = digest(blob, "sha512")
with registry(write_config(Path(sys.argv[1]))) as server:
    server.push_blob("source", blob, "sha512")
    expect("GET at the source", server.send("GET", f"/v2/source/blobs/{name}").body, blob)
    mounted = server.send("POST", f"/v2/target/blobs/uploads/?mount={name}&from=source")
    expect("mount into the target", mounted.status, 201)
    expect("HEAD at the target", server.send("HEAD", f"/v2/target/blobs/{name}").status, 500)
    expect("GET at the target", server.send("GET", f"/v2/target/blobs/{name}").status, 500)
    server.push_blob("target", config)
    layer = {**descriptor(blob, LAYER), "digest": name}
    image = manifest(descriptor(config, CONFIG), [layer])
    expect("PUT of an image that needs it", server.push("target", "v1", image).status, 201)
    server.push_blob("target", blob, "sha512")
    found = server.send("GET", f"/v2/target/blobs/{name}")
    expect("GET at the target after an upload", found.body, blob)
PYTHON
