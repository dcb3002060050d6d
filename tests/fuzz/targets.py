"""What reads bytes from outside, and what must be true of it whatever they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from kops_assets_provider.exceptions import (
    InvalidInputError,
    InvalidManifestError,
    InvalidReferenceError,
    UnsupportedTargetError,
)
from kops_assets_provider.http.challenges import parse_challenges
from kops_assets_provider.http.rate_limits import quota, retry_after
from kops_assets_provider.http.urls import is_forbidden, is_loopback, lead, origin, redact
from kops_assets_provider.mirror.lists.saved_lists import read_saved_list
from kops_assets_provider.mirror.model.asset import Kind, Name, State
from kops_assets_provider.mirror.model.outcome import Facts
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.record import AssetRecord, MirrorRecord
from kops_assets_provider.oci.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    parse_manifest,
)
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.reference import Reference

DIGEST = "sha256:" + "a" * 64


def challenges(data: bytes) -> None:
    """Schemes are tokens, and names are in lower case."""
    for challenge in parse_challenges(data.decode("latin-1").split("\n")):
        assert challenge.scheme.isascii()
        assert challenge.scheme == challenge.scheme.lower() != ""
        assert all(name == name.lower() != "" for name in challenge.parameters)


def waits(data: bytes) -> None:
    """A server puts us off for a day at most."""
    value, _, other = data.decode("latin-1").partition("\n")
    for name in ("Retry-After", "RateLimit-Reset", "RateLimit-Remaining"):
        headers = {name: value, "RateLimit-Limit": other}
        wait = retry_after(headers)
        assert wait is None or 0 <= wait <= 86_400
        quota(headers)


def locations(data: bytes) -> None:
    """No server leads from HTTPS to HTTP, to this machine, or to where clouds keep credentials."""
    text = data.decode("latin-1")
    assert redact(text).isprintable()
    there = origin(lead("https://registry.example.com/v2/", text))
    assert there.scheme == "https"
    assert not is_loopback(there.host)
    assert not is_forbidden(there.host)


def manifests(data: bytes) -> None:
    """A manifest names blobs or children, each by its digest, and is trimmed or left."""
    for content_type in (OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST):
        with suppress(InvalidManifestError):
            parse_manifest(data, content_type)
    found = parse_manifest(data, "")
    assert found.raw == data
    assert bool(found.children) != bool(found.blobs)
    named = (*found.children, *found.blobs)
    assert all(x.digest.startswith("sha256:") and x.size >= 0 for x in named)
    part = trim(found, ["linux/amd64"])
    assert {x.digest for x in part.children} <= {x.digest for x in found.children}


def indexes(data: bytes) -> None:
    """An index with one child whose descriptor has any further keys and values."""
    entry = b'{"digest":"%s","size":2,"mediaType":"%s",' % (DIGEST.encode(), OCI_MANIFEST.encode())
    manifests(b'{"schemaVersion":2,"manifests":[%s%s}]}' % (entry, data))


def references(data: bytes) -> None:
    """A reference that is read is the one that is written."""
    found = Reference.parse(data.decode("utf-8", "replace"))
    assert Reference.parse(str(found)) == found


def records(data: bytes) -> None:
    """A record that is read can be written, and is the same when it is read again."""
    found = parse_record(data, "record.json")
    assert parse_record(found.to_json(), "record.json") == found


class _Stores:
    """Stands for a bucket that holds one object."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, _: str) -> bytes:
        return self._data


def saved_lists(data: bytes) -> None:
    """A list that is read can be written, and has the same assets when it is read again."""
    found = read_saved_list("s3://bucket/list.json", _Stores(data))
    again = json.dumps(found.to_dict()).encode()
    assert read_saved_list("s3://bucket/list.json", _Stores(again)).assets == found.assets


def _manifest(**more: object) -> bytes:
    blob = {"mediaType": "application/x", "digest": DIGEST, "size": 2}
    return json.dumps({"schemaVersion": 2, "config": blob, "layers": [blob], **more}).encode()


def _index(*platforms: str) -> bytes:
    entry = {"mediaType": OCI_MANIFEST, "digest": DIGEST, "size": 2}
    entries = [{**entry, "platform": {"os": "linux", "architecture": x}} for x in platforms]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()


@dataclass(frozen=True)
class Target:
    """
    Something that reads bytes.

    :param read: reads them, and checks what must be true of what was read.
    :param refusals: what it may raise.
    :param seeds: valid examples, from which a fuzzer starts.
    """

    read: Callable[[bytes], None]
    refusals: tuple[type[Exception], ...]
    seeds: list[bytes]

    def check(self, data: bytes) -> None:
        """Read the bytes; raise what is not a refusal."""
        with suppress(*self.refusals):
            self.read(data)


INDEX_ENTRIES = [
    b'"platform":{"os":"linux","architecture":"amd64","variant":"v2"}',
    b'"platform":{"os":"linux","architecture":"amd64"},'
    b'"annotations":{"vnd.docker.reference.digest":"%s"}' % DIGEST.encode(),
]
CHALLENGES = [
    b'Bearer realm="https://h/t",service=reg,scope="repository:a:pull"',
    b'Basic realm = "a, b\\"c", Negotiate abc==\nBasic',
]
WAITS = [b"120\n100;w=21600", b"Wed, 21 Oct 2015 07:28:00 GMT\n"]
WAITS += [b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"]
LOCATIONS = [b"/v2/a", b"https://h.example:443/a?b#c", b"//[::ffff:10.0.0.1%25a]/", b"https://a.b"]
MANIFESTS = [_manifest(), _manifest(mediaType=DOCKER_MANIFEST), _index("amd64", "arm64")]
REFERENCES = [b"registry.k8s.io/pause:3.9@" + DIGEST.encode(), b"[::1]:5000/a/b__c", b"alpine"]
NOW = "2026-01-01T00:00:00+00:00"
FACTS = Facts(content=DIGEST, source=DIGEST, size=5, verified_at=NOW)
NAME = Name(kind=Kind.IMAGE, canonical="h/a:1", download="m/a:1")
RECORD = MirrorRecord(
    cluster="a.example.com",
    kops_version="1.36.2",
    run="run",
    updated_at=NOW,
    assets=(AssetRecord(asset=NAME, state=State.COPIED, facts=FACTS),),
)
RECORDS = [RECORD.to_json().encode()]
SAVED_LISTS = [
    b'{"images":[{"canonical":"h/a:1","download":"m/a:1"}],"files":[]}',
    b"images:\n- canonical: h/a:1\n  download: m/a:1\nfiles: []\n",
]
TARGETS = {
    "challenges": Target(challenges, (), CHALLENGES),
    "waits": Target(waits, (), WAITS),
    "locations": Target(locations, (ValueError,), LOCATIONS),
    "manifests": Target(manifests, (InvalidManifestError,), MANIFESTS),
    "indexes": Target(indexes, (InvalidManifestError,), INDEX_ENTRIES),
    "references": Target(references, (InvalidReferenceError,), REFERENCES),
    "records": Target(records, (InvalidInputError, UnsupportedTargetError), RECORDS),
    "saved_lists": Target(saved_lists, (InvalidInputError,), SAVED_LISTS),
}
