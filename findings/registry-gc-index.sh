#!/bin/sh
# "garbage-collect --delete-untagged" deletes manifests that no tag leads to. It counts the platforms of
# a tagged index among them: nothing but the index refers to them. Index and tag stay, so the tag's
# digest is the same as before, and no platform can be pulled. Expected: what a tagged index names stays.
# A mirror that compares the digests of tags calls such an image present, night after night.
# docker-registry 2.8.2 of Debian 12; https://github.com/distribution/distribution/issues/3178
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

from expect import expect
from registry import INDEX, MANIFEST, descriptor, digest, index, registry, write_config

config = write_config(Path(sys.argv[1]))
with registry(config) as server:
    image = server.push_image("image")
    tagged = index(descriptor(image, MANIFEST, platform={"os": "linux", "architecture": "amd64"}))
    assert server.push("image", "v1", tagged, INDEX).status == 201
command = ["docker-registry", "garbage-collect", "--delete-untagged", str(config)]
collected = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
expect("exit status of garbage-collect", collected.returncode, 0)
with registry(config) as server:
    head = server.send("HEAD", "/v2/image/manifests/v1", Accept=INDEX)
    same = head.headers.get("docker-content-digest") == digest(tagged)
    expect("HEAD of the tag", (head.status, same and "same digest"), (200, "same digest"))
    found = server.send("GET", f"/v2/image/manifests/{digest(image)}", Accept=MANIFEST)
    expect("GET of its platform", found.status, 404)
PYTHON
