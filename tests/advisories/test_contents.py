"""Rows 9 to 12, 14, 15, 19, 24, 27: what a server sends is taken for no more than it is."""

from __future__ import annotations

import gzip
import hashlib
import json
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import pytest
from urllib3.response import HTTPResponse

from kops_assets_provider.exceptions import InvalidManifestError, KopsAssetsError, Side
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.mirror.lists import get_list as lists
from kops_assets_provider.mirror.lists.get_list import list_cluster
from kops_assets_provider.mirror.places.registries import Registries, RegistryEndpoint
from kops_assets_provider.oci import digest as digests
from kops_assets_provider.oci import manifest as manifests
from kops_assets_provider.oci import remote
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import MAX_MANIFEST, OCI_INDEX, OCI_MANIFEST, parse_manifest
from tests.copies import copy_between
from tests.support.http_server import Response as Answer
from tests.support.images import ImageKind, make_image, put_image
from tests.support.memory_files import MemoryStore
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer

CONFIG = {"mediaType": "application/json", "digest": "sha256:" + "a" * 64, "size": 2}
CHILD = {"mediaType": OCI_MANIFEST, "digest": "sha256:" + "b" * 64, "size": 2}
SPEC = Path(__file__).parent.parent / "golden" / "1.36.2" / "specs" / "own-aws-registry.yaml"


def manifest(**changes):
    document = {"schemaVersion": 2, "config": CONFIG, "layers": []} | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def sends(server, raw, content_type=OCI_MANIFEST, **headers):
    """Let a registry answer with ``raw`` to whoever asks for a manifest."""
    server.clear()
    headers = {"Content-Type": content_type, **headers}
    fault = Fault(None, "/manifests/", status=200, headers=headers, body=raw, times=None)
    server.inject(fault)


def copies(source, target, attempt):
    """Copy ``app:1`` from one registry to another, come what may of our errors."""
    opened = Registries(lambda host: RegistryEndpoint(url=f"http://{host}"))
    return attempt(
        lambda: copy_between(
            *opened.source(f"{source.host}/kops/app:1"), *opened.target(f"{target.host}/kops/app:1")
        )
    )


# --- row 9: digests


@pytest.mark.parametrize(
    "digest",
    ["sha256:../../../../x", "sha256:" + "a" * 63, "sha256:" + "A" * 64, "md5:" + "a" * 32, "x?y="],
)
def test_a_digest_is_no_path(defended, attempt, registry, open_repository, digest):
    """Row 9, CVE-2024-3727: no URL is made of a digest that is none."""
    raw = manifest(layers=[CONFIG | {"digest": digest}])

    def check():
        sends(registry, raw)
        source = open_repository(registry.url)

        def pull():
            for blob in source.fetch_manifest("1").blobs:
                with source.open_blob(blob) as chunks:
                    list(chunks)

        attempt(pull)
        assert registry.count(path_regex="/manifests/1$") == 1
        assert len(registry.requests) == 1

    def disable(patch):
        class Anything:
            fullmatch = staticmethod(lambda text: text)

        patch.setattr(digests, "_DIGEST", Anything)

    defended(check, disable)


# --- row 10: pinned digests


def test_a_header_does_not_vouch_for_a_body(defended, attempt, registry, open_repository, image):
    """Row 10, CVE-2025-24882: what was asked for by digest is hashed, whatever the header says."""
    wanted = image.digest

    def check():
        sends(registry, manifest(), **{"Docker-Content-Digest": wanted})
        found = []
        attempt(lambda: found.append(open_repository(registry.url).fetch_manifest(wanted)))
        assert found == []

    class Believer:
        def __init__(self, hexdigest):
            self.hexdigest = lambda: hexdigest
            self.update = lambda data: None

    defended(check, lambda patch: patch.setattr(Digest, "hasher", lambda self: Believer(self.hex)))


def test_a_header_does_not_name_what_is_pushed(attempt, registry, open_repository):
    """Row 10: under a tag, the digest is that of the bytes, not the one of the header."""
    sends(registry, manifest(), **{"Docker-Content-Digest": "sha256:" + "b" * 64})
    found = open_repository(registry.url).fetch_manifest("1")
    assert found.digest == Digest.of(manifest())


# --- row 11: confusion


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (manifest(manifests=[CHILD]), OCI_MANIFEST),
        (manifest(manifests=[CHILD]), OCI_INDEX),
        (manifest(mediaType=OCI_INDEX), OCI_MANIFEST),
        (manifest(mediaType=OCI_MANIFEST, manifests=[CHILD], layers=None, config=None), OCI_INDEX),
    ],
)
def test_a_manifest_is_one_thing(defended, attempt, registry, open_repository, raw, content_type):
    """Row 11, CVE-2021-41190: what can be read as image and as index is neither."""

    def check():
        sends(registry, raw, content_type)
        found = []
        attempt(lambda: found.append(open_repository(registry.url).fetch_manifest("1")))
        assert found == []

    def by_the_header(patch):
        patch.setattr(manifests, "_load", json.loads)
        patch.setattr(manifests, "_media_type", lambda document, content_type: content_type)

    defended(check, by_the_header)


# --- row 12: sizes


@pytest.mark.parametrize("size", ["4611686018427387904", "-1", "1.5", "true", "1e3", '"7"', "null"])
def test_a_size_is_a_size(defended, attempt, registry, open_repository, size):
    """Row 12, GHSA-f36w-mj3v-6jqv: nothing is made ready for a size that no blob has."""
    raw = manifest(layers=[CONFIG]).replace(b'"size": 2}]', f'"size": {size}}}]'.encode())

    def check():
        sends(registry, raw)
        found = []
        attempt(lambda: found.append(open_repository(registry.url).fetch_manifest("1")))
        assert found == []

    def takes_any(patch):
        def descriptor(entry, where):
            return manifests.Descriptor(
                media_type=entry["mediaType"], digest=entry["digest"], size=entry["size"]
            )

        patch.setattr(manifests, "_descriptor", descriptor)

    defended(check, takes_any)


@pytest.mark.parametrize("path", ["/manifests/", "/token"])
def test_a_document_has_a_limit(defended, attempt, registry, open_repository, path):
    """Row 12: manifests and tokens are read up to a limit, and not a gigabyte first."""
    endless = b" " * (4 * MAX_MANIFEST)

    def check():
        registry.clear()
        challenge = {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'}
        if path == "/token":
            registry.inject(Fault(path="^/v2", status=401, headers=challenge))
        registry.inject(Fault(path=path, status=200, body=endless))
        read = []
        with pytest.MonkeyPatch.context() as patch:
            stream = Response.read
            patch.setattr(Response, "read", lambda *a, **k: read.append(stream(*a, **k)) or b"")
            attempt(open_repository(registry.url).fetch_manifest, "1")
        assert registry.count(path_regex=path) == 1
        assert all(len(x) <= MAX_MANIFEST for x in read)

    def reads_all(patch):
        patch.setattr(Response, "read", lambda self, limit=0: b"".join(self.stream()))

    defended(check, reads_all)


# --- rows 14 and 15: encodings


def decodes(patch):
    """Unpack what a server says is packed, as urllib3 and requests do by themselves."""
    stream, read1 = HTTPResponse.stream, HTTPResponse.read1
    patch.setattr(HTTPResponse, "stream", lambda self, n, **_: stream(self, n, decode_content=True))
    patch.setattr(HTTPResponse, "read1", lambda self, n, **_: read1(self, n, decode_content=True))


@pytest.mark.parametrize("small", [True, False])
def test_a_bomb_is_not_set_off(defended, attempt, evil, small):
    """Row 14, CVE-2026-44432: ten megabytes of nothing stay the ten kilobytes that were sent."""
    packed = gzip.compress(b"\0" * 10_000_000)
    evil.responses["/a"] = Answer(200, {"Content-Encoding": "gzip"}, packed)

    def check():
        got = []
        with HttpClient().request("GET", f"{evil.url}/a") as response:
            attempt(lambda: got.extend([response.read()] if small else response.stream()))
        assert b"".join(got) == packed
        assert evil.requests[-1].headers["Accept-Encoding"] == "identity"

    defended(check, decodes)


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip", "x-unheard-of"])
def test_no_encoding_is_undone(evil, fetch, encoding):
    """Row 14: whatever is said of the bytes, they are what they are."""
    evil.responses["/a"] = Answer(200, {"Content-Encoding": encoding}, b"as it is")
    assert fetch(f"{evil.url}/a") == b"as it is"


def test_urllib3_is_recent():
    """Row 14: the versions before drained redirects by unpacking them."""
    assert tuple(map(int, version("urllib3").split(".")[:2])) >= (2, 7)


def test_what_is_hashed_is_what_was_sent(defended, attempt, file_server):
    """Row 15: a server that adds a Content-Encoding to a .tgz does not get it unpacked."""
    packed = gzip.compress(b"a tarball")
    file_server.put("/a.tgz", packed)
    file_server.headers["/a.tgz"] = {"Content-Encoding": "gzip"}
    sha = hashlib.sha256(packed).hexdigest()

    def check():
        store = MemoryStore()
        source = HttpFileSource(HttpClient())
        attempt(copy_file, source, [f"{file_server.url}/a.tgz"], store, "a.tgz", sha)
        assert store.stat("a.tgz") is not None

    defended(check, decodes)


# --- row 19: mounts


def test_nothing_is_mounted_that_was_not_copied(defended, attempt):
    """Row 19, CVE-2024-39897: a private repository's blobs are not had by naming their digests."""
    image = make_image("app", kind=ImageKind.OCI_MANIFEST)
    mounted = []

    def check():
        with OciRegistryServer() as source, OciRegistryServer() as target:
            put_image(source, "kops/app:1", image)
            put_image(target, "secret/app:1", image)
            copies(source, target, attempt)
            mounted[:] = [x.query for x in target.requests if "from=" in x.query]
            assert all("from=kops%2Fapp" in x for x in mounted)

    def guesses(patch):
        start = remote.Uploads.start
        patch.setattr(
            remote.Uploads, "start", lambda self, blob, _: start(self, blob, "secret/app")
        )

    defended(check, guesses)


def test_registries_are_told_apart(attempt):
    """Row 19: what this run wrote to one registry is not asked of another."""
    image = make_image("app", kind=ImageKind.OCI_MANIFEST)
    with (
        OciRegistryServer() as source,
        OciRegistryServer() as one,
        OciRegistryServer() as other,
    ):
        put_image(source, "kops/app:1", image)
        opened = Registries(lambda host: RegistryEndpoint(url=f"http://{host}"))
        for target, name in ((one, "first/app"), (other, "second/app")):
            copy_between(
                *opened.source(f"{source.host}/kops/app:1"),
                *opened.target(f"{target.host}/{name}:1"),
            )
        assert not [x for x in other.requests if "first" in x.query]


# --- row 24: hashes


def test_a_hash_beside_the_file_does_not_count_if_kops_knows_one(defended, attempt, file_server):
    """Row 24: whoever can change a file can change the hash beside it: that one is not asked."""
    plain = list_cluster(str(SPEC), "1.36.2", fetch_hashes=False)
    known = next(x for x in plain.assets.files if x.sha)
    rewrites = {known.canonical.rpartition("/")[0]: file_server.url}
    beside = known.canonical.rpartition("/")[2]
    file_server.put(f"/{beside}.sha256", b"f" * 64)

    def pinned(canonical):
        # All others, so that nobody asks the internet for them.
        return None if canonical == known.canonical else "e" * 64

    def check():
        file_server.clear()
        found = {}

        def compute():
            listed = list_cluster(str(SPEC), "1.36.2", source_rewrites=rewrites, find_sha=pinned)
            found.update({x.canonical: x.sha for x in listed.assets.files})

        attempt(compute)
        assert found[known.canonical] == known.sha
        assert file_server.count(path_regex=beside) == 0

    def forgets(patch):
        with_hashes = lists._with_hashes

        def without(listed, request):
            files = tuple(
                lists.replace(x, sha="") if x.canonical == known.canonical else x
                for x in listed.assets.files
            )
            assets = lists.replace(listed.assets, files=files)
            return with_hashes(lists.replace(listed, assets=assets), request)

        patch.setattr(lists, "_with_hashes", without)

    defended(check, forgets)


# --- row 27: parsers


@pytest.mark.parametrize(
    "raw",
    [
        manifest().replace(b'"layers": []', b'"layers": [], "layers": [null]'),
        manifest().replace(b'"layers": []', b'"layers": [], "layers": []'),
        manifest().replace(b'"schemaVersion": 2', b'"schemaVersion": NaN'),
        manifest().replace(b'"schemaVersion": 2', b'"schemaVersion": -Infinity'),
        manifest().replace(b'"schemaVersion": 2', b'"schemaVersion": ' + b"[" * 100_000),
    ],
)
def test_a_document_has_one_meaning(defended, registry, open_repository, raw):
    """Row 27: what two parsers may read as two things is refused; depth is no crash."""

    def check():
        sends(registry, raw)
        try:
            open_repository(registry.url).fetch_manifest("1")
        except KopsAssetsError:
            return
        except RecursionError as err:
            raise AssertionError("a crash") from err
        raise AssertionError("it was taken")

    def as_python_does(patch):
        patch.setattr(manifests, "_load", json.loads)
        if b"[null]" in raw:
            patch.setattr(manifests, "_descriptors", lambda document, key: ())

    defended(check, as_python_does)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32-be"])
def test_a_document_has_one_encoding(defended, attempt, registry, open_repository, encoding):
    """Row 27: what we read as UTF-16, another reader may read as something else."""
    raw = manifest().decode().encode(encoding)

    def check():
        sends(registry, raw)
        found = []
        attempt(lambda: found.append(open_repository(registry.url).fetch_manifest("1")))
        assert found == []

    defended(check, lambda patch: patch.setattr(manifests, "parse_json", json.loads))


@pytest.mark.parametrize(
    "digest", ["sha512:" + "a" * 128, "sha256:" + "A" * 64, "x", "", "sha256:" + "a" * 60_000]
)
def test_a_digest_in_a_header_is_a_digest(registry, open_repository, digest):
    """Row 9 for HEAD: the message says where it comes from, and of what kind it must be."""
    headers = {"Docker-Content-Digest": digest}
    registry.inject(Fault("HEAD", status=200, headers=headers))
    with pytest.raises(InvalidManifestError, match=r"^source 127.*sha256:<64 hex digits>"):
        open_repository(registry.url).resolve("1")


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b'{"token":"a","expires_in":1' + b"0" * 400 + b"}"]
)
@pytest.mark.parametrize("path", ["^/token", "^/v2"])
def test_a_strange_answer_is_no_crash(registry, open_repository, body, path):
    """Row 27 for tokens and errors: depth and huge numbers are told as errors, or borne."""
    challenge = {"WWW-Authenticate": f'Bearer realm="{registry.url}/token"'}
    registry.inject(Fault(path="^/v2", status=401, headers=challenge))
    registry.inject(
        Fault(path="^/token", status=200, body=b'{"token":"a"}' if path != "^/token" else body)
    )
    registry.inject(Fault(path="^/v2", status=400, body=body))
    with pytest.raises(KopsAssetsError):
        open_repository(registry.url).fetch_manifest("1")


def test_the_very_bytes_are_pushed(defended, attempt, image):
    """Row 27: a manifest that is written unlike we would write it arrives as it was written."""
    document = json.loads(image.top.data)
    raw = json.dumps(dict(reversed(document.items())), indent=7).encode() + b"\n\n"
    odd = parse_manifest(raw, image.top.media_type)

    def check():
        with OciRegistryServer() as source, OciRegistryServer() as target:
            put_image(source, "kops/app:1", image)
            client = Registries(lambda host: RegistryEndpoint(url=f"http://{host}"))
            there, _ = client.target(f"{source.host}/kops/app:1")
            there.push_manifest("1", odd)
            copies(source, target, attempt)
            copied, _ = client.source(f"{target.host}/kops/app:1")
            found = []
            attempt(lambda: found.append(copied.fetch_manifest("1").raw))
            assert found == [raw]

    def rewrites(patch):
        parse = remote.parse_manifest

        def rewritten(raw, content_type, digest=None):
            tidy = json.dumps(json.loads(raw)).encode()
            return parse(tidy, content_type)

        patch.setattr(remote, "parse_manifest", rewritten)

    defended(check, rewrites)


def test_wrong_bytes_do_not_become_a_blob(attempt, image, open_repository, registry):
    """Row 10 for blobs: what is not what its digest says is not stored."""
    blob = parse_manifest(image.top.data, image.top.media_type).blobs[0]
    wrong = nullcontext(iter([b"x" * blob.size]))
    target = open_repository(registry.url, side=Side.TARGET)
    assert attempt(target.push_blob, blob, lambda *_: wrong) is not None
