"""Copying an image: complete, unchanged, in the safe order, and only once."""

import hashlib
import json
import threading

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidManifestError,
    NotFoundError,
    RateLimitedError,
    ServerFailedError,
    Side,
    StoppedError,
)
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.mirror.places.registries import Registries
from kops_assets_provider.oci.manifest import (
    DOCKER_MANIFEST,
    MAX_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    parse_manifest,
)
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.oci.tree import read_tree
from tests.copies import copy_between
from tests.support.images import ImageKind, make_image, put_image
from tests.support.memory_registry import MemoryRepository
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

SOURCE, TARGET = Reference.parse("quay.io/app/app:1"), Reference.parse("h.example/kops/app:1")


def memory(image) -> MemoryRepository:
    """Return a repository that has the image, tagged 1."""
    repository = MemoryRepository()
    repository.blobs = dict(image.blobs)
    for digest, x in image.manifests.items():
        repository.manifests[digest] = parse_manifest(x.data, x.media_type)
    repository.manifests["1"] = repository.manifests[image.digest]
    return repository


@pytest.fixture
def servers():
    """A registry to copy from and one to copy to, with the way to open repositories in them."""
    with OciRegistryServer() as source, OciRegistryServer() as target:
        yield source, target


def names(servers):
    source, target = servers
    return f"{source.host}/app/app:1", f"{target.host}/kops/app:1"


def copy(servers, **options):
    canonical, download = names(servers)
    registries = Registries()
    options = {"retries": Retries(first_wait_seconds=0.001), **options}
    return copy_between(*registries.source(canonical), *registries.target(download), **options)


@pytest.mark.parametrize("kind", list(ImageKind))
def test_a_copy_is_complete_and_unchanged(kind):
    """Every manifest and every blob arrives with its bytes; the tag stands for the same digest."""
    image = make_image("app", kind=kind)
    source, target = memory(image), MemoryRepository()
    done = copy_between(source, SOURCE, target, TARGET)
    assert done.copied
    assert done.digest == image.digest == target.resolve("1")
    assert done.size == image.size
    assert target.blobs == image.blobs
    assert {k: x.raw for k, x in target.manifests.items() if k != "1"} == {
        k: x.data for k, x in image.manifests.items()
    }


def test_children_come_before_parents_and_the_tag_last():
    """Whoever pulls meanwhile sees the old image or the new one, never half of it."""
    image = make_image("app")
    target = MemoryRepository()
    copy_between(memory(image), SOURCE, target, TARGET)
    children = list(image.manifests)[:-1]
    assert target.pushed[-3:] == [*children, "1"]
    assert set(target.pushed[:-3]) == set(image.blobs)


def test_a_second_copy_pushes_nothing(servers):
    """Two HEAD requests tell that all is there."""
    put_image(servers[0], "app/app:1", make_image("app"))
    copy(servers)
    for server in servers:
        server.clear()
    assert not copy(servers).copied
    assert [[x.method for x in server.requests] for server in servers] == [["HEAD"], ["HEAD"]]


def test_a_full_copy_takes_no_more_requests_than_it_must(servers):
    """3 + 2P + 3B for P platforms and B blobs in a new repository."""
    image = make_image("app", platforms=["linux/amd64", "linux/arm64", "linux/s390x"])
    put_image(servers[0], "app/app:1", image)
    copy(servers)
    blobs = len(image.blobs)
    assert [len(server.requests) for server in servers] == [1 + 3 + blobs, 1 + 2 * blobs + 3 + 1]


def test_blobs_that_are_there_are_not_sent_again(servers):
    """A copy that broke off is taken up where it was: its blobs count."""
    image = make_image("app")
    put_image(servers[0], "app/app:1", image)
    servers[1].inject(Fault("PUT", "/manifests/1$", status=500, times=None))
    with pytest.raises(ServerFailedError):
        copy(servers)
    servers[1].clear_faults()
    assert copy(servers).uploaded == 0


def test_a_moved_tag_is_copied_again(servers):
    """The digest of the tag decides, not that the tag exists."""
    put_image(servers[0], "app/app:1", make_image("app"))
    copy(servers)
    moved = make_image("moved")
    put_image(servers[0], "app/app:1", moved)
    assert copy(servers).digest == moved.digest


def test_shared_layers_are_sent_once(servers):
    """Two platforms with the same layer: one upload."""
    image = make_image("app", platforms=["linux/amd64"], layers=1)
    put_image(servers[0], "app/app:1", image)
    copy(servers)
    assert servers[1].count("POST") == len(image.blobs)


def test_a_blob_with_other_bytes_is_never_stored(servers):
    """Bytes that are not those of the digest end the copy, and the tag is not moved."""
    put_image(servers[0], "app/app:1", make_image("app", size=100_000))
    servers[0].inject(Fault("GET", "/blobs/", times=None, body=b"x" * 100_000))
    with pytest.raises(ChecksumMismatchError, match=r"^source blob sha256:"):
        copy(servers)
    assert servers[1].count("PUT", "/manifests/") == 0
    assert not list(servers[1].storage.root.rglob("blobs/sha256/*/data"))


def test_a_manifest_with_other_bytes_is_never_stored(servers):
    """A child that was asked for by digest must hash to it, whatever the header claims."""
    image = make_image("app")
    put_image(servers[0], "app/app:1", image)
    other = make_image("other", kind=ImageKind.OCI_MANIFEST)
    child = next(iter(image.manifests))
    fault = Fault("GET", child, body=other.top.data, headers={"Docker-Content-Digest": child})
    servers[0].inject(fault)
    with pytest.raises(ChecksumMismatchError, match="source 127"):
        copy(servers)
    assert servers[1].count("PUT") == 0


def test_an_image_that_does_not_exist_is_named(servers):
    """A permanent error that says which image, and whose side."""
    with pytest.raises(NotFoundError, match=r"^source .*/v2/app/app/manifests/1 answered 404"):
        copy(servers)


def test_a_source_that_breaks_off_is_transient(servers):
    """Half a blob is not stored, and another try may succeed."""
    put_image(servers[0], "app/app:1", make_image("app", size=300_000))
    servers[0].inject(Fault("GET", "/blobs/", times=None, truncate_after=1000))
    with pytest.raises(ConnectionFailedError, match=r"^source "):
        copy(servers)
    assert servers[1].count("PUT", "/manifests/") == 0


def test_a_refused_connection_is_transient():
    """A registry that is down may be up again."""
    registries = Registries()
    gone = "127.0.0.1:9/kops/app:1"
    with pytest.raises(ConnectionFailedError, match=r"target 127\.0\.0\.1:9: HEAD"):
        copy_between(*registries.source(gone), *registries.target(gone))


def test_a_rate_limit_tells_when_to_come_back(servers):
    """429 is transient and carries the server's own wait."""
    servers[0].inject(Fault(status=429, headers={"Retry-After": "30"}, times=None))
    with pytest.raises(RateLimitedError) as caught:
        copy(servers)
    assert caught.value.retry_after == 30


def test_an_index_is_not_followed_for_ever():
    """An index that holds itself, or nests deeper than anybody needs, is refused."""
    source = MemoryRepository()
    child = make_image("app").top
    for _ in range(4):
        digest = f"sha256:{hashlib.sha256(child.data).hexdigest()}"
        source.manifests[digest] = parse_manifest(child.data, child.media_type)
        entry = {"mediaType": OCI_INDEX, "digest": digest, "size": len(child.data)}
        data = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        child = type(child)(OCI_INDEX, data)
    source.manifests["1"] = parse_manifest(child.data, OCI_INDEX)
    with pytest.raises(InvalidManifestError, match="too deep or too wide"):
        copy_between(source, SOURCE, MemoryRepository(), TARGET)


def index_of(source, *children, **changes):
    """Put an index of manifests under the tag 1, each descriptor with ``changes``."""
    entries = []
    for child in children:
        source.manifests[child.digest] = child
        right = {"mediaType": child.media_type, "digest": child.digest, "size": len(child.raw)}
        entries.append(right | changes)
    raw = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    source.manifests["1"] = parse_manifest(raw, OCI_INDEX)


def manifest_of(config, layers=(), padding=0, **changes):
    document = {"schemaVersion": 2, "config": config, "layers": list(layers)} | changes
    raw = json.dumps(document).encode()
    return parse_manifest(raw + b" " * max(0, padding - len(raw)), OCI_MANIFEST)


CONFIG = {"mediaType": "application/json", "digest": "sha256:" + "a" * 64, "size": 2}


def test_an_image_of_too_many_blobs_is_refused():
    """Each takes memory and requests, and 64 MiB of manifests can name half a million."""
    source = MemoryRepository()
    names = (f"sha256:{number:064x}" for number in range(11_000))
    layers = [CONFIG | {"digest": name} for name in names]
    parts = [manifest_of(CONFIG, layers[at : at + 1000]) for at in range(0, len(layers), 1000)]
    index_of(source, *parts)
    with pytest.raises(InvalidManifestError, match="more than 10000 manifests and blobs"):
        copy_between(source, SOURCE, MemoryRepository(), TARGET)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": 7}, "its index says 7 bytes of 'application/vnd.oci.image.manifest"),
        ({"size": 0}, "its index says 0 bytes"),
        ({"mediaType": DOCKER_MANIFEST}, "bytes of 'application/vnd.docker.distribution.manifest."),
        ({"mediaType": OCI_INDEX}, "bytes of 'application/vnd.oci.image.index.v1"),
        ({"mediaType": "text/plain"}, "bytes of 'text/plain', the registry sent"),
    ],
)
def test_a_child_is_what_its_index_says(changes, said):
    """Nodes compare its size and its type, and would refuse what we have copied."""
    source = MemoryRepository()
    index_of(source, manifest_of(CONFIG), **changes)
    with pytest.raises(InvalidManifestError, match=said) as caught:
        copy_between(source, SOURCE, MemoryRepository(), TARGET)
    assert caught.value.side is Side.SOURCE


def test_a_blob_has_one_size():
    """Of a blob that the target has already nothing arrives that could be measured."""
    source = MemoryRepository()
    other = manifest_of(CONFIG, [CONFIG | {"size": 3}])
    index_of(source, manifest_of(CONFIG), other)
    with pytest.raises(InvalidManifestError, match=f"{CONFIG['digest']} has two sizes, 2 and 3"):
        copy_between(source, SOURCE, MemoryRepository(), TARGET)


def test_an_image_has_64_mib_of_manifests_at_most():
    """They are held in memory; nothing is read beyond the limit."""
    source = MemoryRepository()
    read = []
    fetch = source.fetch_manifest
    source.fetch_manifest = lambda x: read.append(x) or fetch(x)
    children = [
        manifest_of(CONFIG, padding=MAX_MANIFEST, annotations={"number": str(number)})
        for number in range(17)
    ]
    index_of(source, *children)
    with pytest.raises(InvalidManifestError, match="more than 64 MiB of manifests"):
        copy_between(source, SOURCE, MemoryRepository(), TARGET)
    assert read == ["1"]
    index_of(source, *children[:15])
    tree = read_tree(source, source.manifests["1"], source.manifests["1"].digest)
    assert len(tree.manifests) == 16


def test_a_copy_can_be_stopped(servers):
    """What ``on_chunk`` raises ends the copy and leaves no upload behind."""
    put_image(servers[0], "app/app:1", make_image("app"))

    def stop(_: int) -> None:
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        copy(servers, on_chunk=stop)
    assert servers[1].count("DELETE", "/uploads/") == servers[1].count("POST")


def test_progress_counts_every_byte(servers):
    """``on_chunk`` is told each byte that is sent, once."""
    image = make_image("app")
    put_image(servers[0], "app/app:1", image)
    lock, seen = threading.Lock(), []

    def count(size: int) -> None:
        with lock:
            seen.append(size)

    done = copy(servers, on_chunk=count)
    assert sum(seen) == done.uploaded == sum(len(x) for x in image.blobs.values())


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_registry_that_refuses_mounts_gets_plain_uploads(servers, status):
    """Not all registries answer 202 to what they cannot do, as the spec wants."""
    put_image(servers[0], "app/app:1", make_image("app"))
    servers[1].inject(Fault("POST", status=status, times=1))
    assert copy(servers).copied


def test_a_manifest_named_often_is_copied_once():
    """An index that names one child many times costs no more than its children."""
    image = make_image("app")
    source = memory(image)
    document = json.loads(image.top.data)
    document["manifests"] *= 50
    index = parse_manifest(json.dumps(document).encode(), OCI_INDEX)
    source.manifests["1"] = source.manifests[index.digest] = index
    target = MemoryRepository()
    copy_between(source, SOURCE, target, TARGET)
    assert len(target.pushed) == len(image.blobs) + 3


def test_a_failure_stops_the_other_blobs(servers):
    """The first failure is what is told, and nothing more is begun."""
    put_image(servers[0], "app/app:1", make_image("app", layers=20))
    servers[0].inject(Fault("GET", "/blobs/", status=403, skip=2))
    with pytest.raises(AccessDeniedError):
        copy(servers, workers=2)
    assert servers[0].count("GET", "/blobs/") < 10
