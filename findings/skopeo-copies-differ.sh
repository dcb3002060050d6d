#!/bin/sh
# "skopeo copy" from registry to registry, twice with the same arguments, leaves two different digests
# under the target's tag. An uncompressed layer is compressed on the way, with or without --all, so the
# first copy is another image than the source. The second finds the layer in skopeo's own cache of what
# is where, mounts it as it was, and gives the source's digest. Expected: the source's digest both times.
# A mirror made with it depends on what that machine has copied before; nodes that pull by digest find
# nothing after the first copy. --preserve-digests prevents it.
# skopeo 1.9.3 and docker-registry 2.8.2 of Debian 12; https://github.com/containers/skopeo/issues/1451
. "$(dirname "$0")/lib/start.sh"
debian docker-registry=2.8.2+ds1-1 skopeo=1.9.3+ds1-1+b10 libgpgme11=1.18.0-3+deb12u1 \
    libassuan0=2.5.5-5 libgpg-error0=1.46-1 libdevmapper1.02.1=2:1.02.185-2
export LD_LIBRARY_PATH="$tmp/deb/usr/lib/x86_64-linux-gnu:$tmp/deb/lib/x86_64-linux-gnu"
skopeo --version
# As root, skopeo keeps its cache in a place that it shares with others, so it runs as nobody.
chmod 755 "$tmp"
mkdir -m 777 "$tmp/home"
python3 - "$tmp" <<'PYTHON'
import os
import subprocess
import sys
from pathlib import Path

from expect import expect
from registry import INDEX, MANIFEST, descriptor, digest, index, registry, write_config

folder = Path(sys.argv[1])
nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def copy(server, cache, source, target, *options):
    """Copy, with a cache of a given name, and return the digest that the target's tag has then."""
    command = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"]
    command += ["--dest-tls-verify=false", *options]
    command += [f"docker://127.0.0.1:{server.port}/{name}:v1" for name in (source, target)]
    home = str(folder / "home" / cache)
    env = {**os.environ, "HOME": home, "XDG_DATA_HOME": home}
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=60, **nobody)
    accept = f"{MANIFEST}, {INDEX}"
    return server.send("HEAD", f"/v2/{target}/manifests/v1", Accept=accept).headers[
        "docker-content-digest"
    ]


with registry(write_config(folder)) as server:
    image = server.push_image("image", "v1", layer=b"not compressed")
    platform = {"os": "linux", "architecture": "amd64"}
    listed = index(descriptor(image, MANIFEST, platform=platform))
    assert server.push_image("list", layer=b"not compressed") == image
    assert server.push("list", "v1", listed, INDEX).status == 201

    for number, same in (("first", False), ("second", True)):
        copied = copy(server, "one", "image", "target/image")
        expect(f"{number} copy has the source's digest", copied == digest(image), same)
    for number, same in (("first", False), ("second", True)):
        copied = copy(server, "two", "list", "target/list", "--all")
        expect(f"{number} copy of an index, --all", copied == digest(listed), same)
    copied = copy(server, "three", "list", "target/kept", "--all", "--preserve-digests")
    expect("first copy of an index, --all --preserve-digests", copied == digest(listed), True)
PYTHON
