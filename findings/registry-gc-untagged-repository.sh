#!/bin/sh
# One repository whose images were pushed by digest alone, without a tag, stops
# "garbage-collect --delete-untagged" for the whole registry: it ends with status 1 at that repository
# and deletes nothing anywhere. Expected: the repository's images are deleted, or skipped.
# Images that a cluster names as NAME@sha256:... have no tag. Mirroring a single one of them means that
# the registry's disk is never cleaned again; without the option the collection still works.
# docker-registry 2.8.2 of Debian 12; somebody else who met it: https://github.com/enix/kube-image-keeper/issues/128
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1
docker-registry --version
python3 - "$tmp" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

from expect import expect
from registry import digest, registry, write_config

config = write_config(Path(sys.argv[1]))
junk = b"junk"


def collect(*options):
    command = ["docker-registry", "garbage-collect", *options, str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


with registry(config) as server:
    server.push_image("tagged", "v1")
    by_digest = server.push_image("by-digest")
    server.push_blob("tagged", junk)
refused = collect("--delete-untagged")
expect("garbage-collect --delete-untagged", refused.returncode, 1)
told = refused.stderr.strip().splitlines()[-1]
print(told)
expect("it names the repository", "unknown repository name=by-digest" in told, True)
stored = list(Path(sys.argv[1]).rglob(digest(junk).removeprefix("sha256:") + "/data"))
expect("copies of what nobody needs, after it", len(stored), 1)
expect("garbage-collect", collect().returncode, 0)
expect("copies of it, after that", sum(path.exists() for path in stored), 0)
with registry(config) as server:
    path = f"/v2/by-digest/manifests/{digest(by_digest)}"
    accept = "application/vnd.oci.image.manifest.v1+json"
    expect("GET of the image without a tag", server.send("GET", path, Accept=accept).status, 200)
PYTHON
