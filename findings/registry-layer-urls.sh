#!/bin/sh
# A descriptor may have "urls", further places of the same content (OCI image specification). The
# registry answers 500 to an image with a tar layer that has them, even if it has the layer itself, and
# adds that the blob is unknown. The same urls on a zstd layer are accepted, and then the registry does
# not look for the blob either: it answers 201 to an image that lacks its layer. A "foreign" layer of a
# Windows image is answered with 500 as well. Expected: one answer for all types, and none of 500.
# A mirror takes 500 for a failure that passes and tries again, and it takes 201 for "complete".
# docker-registry 2.8.2 of Debian 12, without a list of allowed URLs (validation.manifests.urls);
# https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#properties
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import sys
from pathlib import Path

from expect import expect
from registry import CONFIG, LAYER, descriptor, manifest, registry, write_config

config, present, absent = b"{}", b"a layer", b"another layer"
urls = ["https://example.com/layer"]
with registry(write_config(Path(sys.argv[1]))) as server:
    server.push_blob("image", config)
    server.push_blob("image", present)

    def push(layer):
        return server.push("image", "v1", manifest(descriptor(config, CONFIG), [layer]))

    expect("tar, present", push(descriptor(present, LAYER)).status, 201)
    refused = push(descriptor(present, LAYER, urls=urls))
    expect("tar, present, with urls", refused.status, 500)
    print(refused.body.decode().strip())
    zstd = f"{LAYER}+zstd"
    foreign = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    expect("foreign, absent, with urls", push(descriptor(absent, foreign, urls=urls)).status, 500)
    expect("zstd, absent", push(descriptor(absent, zstd)).status, 400)
    expect("zstd, absent, with urls", push(descriptor(absent, zstd, urls=urls)).status, 201)
PYTHON
