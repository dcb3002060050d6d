"""Images and registries to copy together: in memory, and in servers of ours."""

import json
import time
from collections import Counter
from contextlib import contextmanager
from functools import cache

from kops_assets_provider.exceptions import Side
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.copy import copy_images
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import OCI_INDEX, OCI_MANIFEST, parse_manifest
from kops_assets_provider.oci.profile import GENERIC, Profile
from kops_assets_provider.oci.remote import RemoteRepository
from kops_assets_provider.oci.tree import read_tree
from tests.support.images import make_image, put_image
from tests.support.memory_registry import MemoryRegistry, MemoryRepository
from tests.support.oci_registry import OciRegistryServer

PLATFORM = ["linux/amd64"]
ECR = Profile(mounts_published=True)


def quick():
    return Retries(first_wait_seconds=0.001)


# Images in memory: tiny, and as their test wants them.


def descriptor(data, media_type="application/x"):
    return {"mediaType": media_type, "digest": Digest.of(data), "size": len(data)}


def tiny(*layers):
    """Return an image's manifest and blobs; the first layer is its config."""
    config, *rest = [x if isinstance(x, bytes) else x.encode() for x in layers]
    document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
    document |= {"config": descriptor(config), "layers": [descriptor(x) for x in rest]}
    raw = json.dumps(document).encode()
    return {"root": parse_manifest(raw, ""), "blobs": {Digest.of(x): x for x in (config, *rest)}}


def tiny_index(*images):
    """Return an index of images, with all that is below it."""
    children = [x["root"] for x in images]
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    document["manifests"] = [descriptor(x.raw, x.media_type) for x in children]
    root = parse_manifest(json.dumps(document).encode(), "")
    blobs = {k: v for x in images for k, v in x["blobs"].items()}
    return {"root": root, "blobs": blobs, "children": children}


class Faulty(MemoryRepository):
    """A repository where some things fail, and some take until an event."""

    def __init__(self, name="memory", registry=None):
        super().__init__(name, registry)
        self.fails = {}
        self.waits = {}
        self.opened = Counter()
        self.asked = Counter()

    def _pass(self, what):
        if what in self.waits:
            assert self.waits[what].wait(20), f"{what} was waited for in vain"
        if what in self.fails:
            raise self.fails[what]

    @contextmanager
    def open_blob(self, blob, offset=0):
        self._pass(blob.digest)
        self.opened[blob.digest] += 1
        with super().open_blob(blob, offset) as chunks:
            yield chunks

    def push_blob(self, blob, *args, **options):
        self._pass(blob.digest)
        self.asked[blob.digest] += 1
        return super().push_blob(blob, *args, **options)

    def push_manifest(self, reference, manifest):
        self._pass(reference)
        super().push_manifest(reference, manifest)


class Registry(MemoryRegistry):
    def __missing__(self, name):
        self[name] = Faulty(name, self)
        return self[name]


def source_of(image):
    source = Faulty("source")
    source.blobs = dict(image["blobs"])
    for x in (*image.get("children", ()), image["root"]):
        source.manifests[x.digest] = x
    return source


def job_of(image, target, tag="1", **options):
    source = source_of(image)
    root = image["root"]
    return ImageJob(
        source=source,
        target=target,
        push_as=tag,
        tree=read_tree(source, root, root.digest),
        **options,
    )


def run(jobs, **options):
    return copy_images(jobs, **{"retries": quick(), **options})


def errors(results):
    return [x.error and type(x.error) for x in results]


def is_whole(target, tag, image):
    """Tell whether all that the tag leads to is there and hashes to its digest."""
    found = target.manifests.get(tag)
    return (
        found is not None
        and found.digest == image["root"].digest
        and all(target.manifests[x.digest].raw == x.raw for x in image.get("children", ()))
        and all(target.blobs.get(k) == v for k, v in image["blobs"].items())
    )


# Images of servers.


@cache
def http_client():
    # To read the system's authorities takes longer than most copies here.
    return HttpClient(stall_seconds=20)


def client(server, side=Side.TARGET, login=None):
    return RegistryClient(http_client(), server.url, login, side)


def remote_jobs(source, target, *images, profile=GENERIC, **options):
    """Return jobs for images of a real-enough registry; ``target`` is a client."""
    jobs = []
    from_client = client(source, Side.SOURCE)
    for name, image in images:
        put_image(source, name, image)
        there = RemoteRepository(from_client, name)
        tree = read_tree(there, there.fetch_manifest(image.digest), image.digest)
        to = RemoteRepository(target, f"kops/{name}", profile)
        jobs.append(ImageJob(source=there, target=to, push_as="1", tree=tree, **options))
    source.clear()
    return jobs


def gets(source):
    """Count the reads of each blob."""
    paths = [x.path for x in source.requests if x.method == "GET" and "/blobs/" in x.path]
    return Counter(x.rpartition("/")[2] for x in paths)


def named(*names, **options):
    options = {"platforms": PLATFORM, "layers": 3, "base_layers": 2, **options}
    return [(x, make_image(x, **options)) for x in names]


def timed(call):
    began = time.monotonic()
    result = call()
    return result, time.monotonic() - began


class Noticing(OciRegistryServer):
    """A registry that does something at a request, before it answers."""

    def notice(self, request):
        """Look at a request."""

    def answer(self, request):
        self.notice(request)
        return super().answer(request)
