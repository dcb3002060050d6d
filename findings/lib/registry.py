"""A docker-registry on loopback, and the few requests that the scripts send to it."""

import hashlib
import http.client
import json
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class Answer(NamedTuple):
    status: int
    headers: dict
    body: bytes


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def descriptor(content: bytes, media_type: str, **more: object) -> dict:
    return {"mediaType": media_type, "digest": digest(content), "size": len(content), **more}


def manifest(config: dict, layers: list, media_type: str = MANIFEST) -> bytes:
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
    return json.dumps(document).encode()


def index(*manifests: dict, media_type: str = INDEX) -> bytes:
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    return json.dumps(document).encode()


def write_config(folder: Path) -> Path:
    """Write the configuration of Debian's package, with a free port, deletion, and no password."""
    config = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            "cache": {"blobdescriptor": "inmemory"},
            "filesystem": {"rootdirectory": f"{folder}/data"},
            "delete": {"enabled": True},
        },
        "http": {"addr": "127.0.0.1:0"},
    }
    path = folder / "config.yml"
    path.write_text(json.dumps(config))
    return path


class Registry:
    """
    Speaks to one registry.

    :param port: on loopback.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send one request on a connection of its own; underscores in header names are hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, re.sub(r"^http://[^/]+", "", path), body, names)
        response = connection.getresponse()
        headers_seen = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers_seen, response.read())

    def push_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> None:
        started = self.send("POST", f"/v2/{repository}/blobs/uploads/")
        location = f"{started.headers['location']}&digest={digest(content, algorithm)}"
        assert self.send("PUT", location, content).status == 201

    def push(
        self, repository: str, reference: str, content: bytes, media_type: str = MANIFEST
    ) -> Answer:
        return self.send(
            "PUT", f"/v2/{repository}/manifests/{reference}", content, Content_Type=media_type
        )

    def push_image(self, repository: str, reference: str = "", layer: bytes = b"layer") -> bytes:
        """Push an image of one layer, under its digest if there is no ``reference``."""
        config = json.dumps({"os": "linux", "architecture": "amd64", "layer": layer.hex()}).encode()
        self.push_blob(repository, config)
        self.push_blob(repository, layer)
        image = manifest(descriptor(config, CONFIG), [descriptor(layer, LAYER)])
        assert self.push(repository, reference or digest(image), image).status == 201
        return image


@contextmanager
def registry(config: Path):
    """Run docker-registry with a configuration until the block ends."""
    command = ["docker-registry", "serve", str(config)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", line):
                yield Registry(int(found[1]))
                return
        raise RuntimeError("docker-registry did not start")
    finally:
        process.terminate()
        process.wait(10)
