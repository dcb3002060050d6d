"""The copy: the file first, its side-car second, and neither if it is right already."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    Side,
    StoppedError,
    TransientError,
)
from kops_assets_provider.files.copy import CopiedFile, copy_file
from kops_assets_provider.files.http_source import HttpFileSource
from tests.support.memory_files import MemorySource, MemoryStore
from tests.support.messages import Fault

URL = "https://example.com/bin/kubelet"
RAW = b"the bytes of a binary"
SHA = hashlib.sha256(RAW).hexdigest()
VERSION = hashlib.md5(RAW, usedforsecurity=False).hexdigest()
PATH = "bin/kubelet"
SIDECAR = "bin/kubelet.sha256"
BIG = bytes(range(256)) * 20_000
BIG_SHA = hashlib.sha256(BIG).hexdigest()


class RecordingStore(MemoryStore):
    """Remembers what it was asked, in order."""

    def __init__(self, **files):
        super().__init__()
        self.files.update(files)
        self.calls = []

    def stat(self, path):
        self.calls.append(("stat", path))
        return super().stat(path)

    def read(self, path):
        self.calls.append(("read", path))
        return super().read(path)

    def write(self, path, content, *, new=False):
        self.calls.append(("write", path))
        super().write(path, content, new=new)


@pytest.fixture
def source():
    return MemorySource({URL: RAW})


@pytest.fixture
def store():
    return RecordingStore()


def test_a_new_file_and_its_sidecar_are_written(source, store):
    """The side-car has the bare hex of the hash and no newline, as kOps writes it."""
    copied = copy_file(source, [URL], store, PATH, SHA)
    assert store.files == {PATH: RAW, SIDECAR: SHA.encode()}
    assert copied == CopiedFile(
        sha=SHA, size=len(RAW), copied=True, sidecar_written=True, uploaded=len(RAW) + 64
    )


def test_the_file_is_written_before_its_sidecar(source, store):
    """Three requests for a file that is not there, its side-car the last."""
    copy_file(source, [URL], store, PATH, SHA)
    assert store.calls == [("stat", PATH), ("write", PATH), ("write", SIDECAR)]


def test_a_copy_is_idempotent(source, store):
    """A second copy writes nothing, and does not ask the source."""
    copy_file(source, [URL], store, PATH, SHA)
    store.calls.clear()
    copied = copy_file(MemorySource({}), [URL], store, PATH, SHA)
    assert store.calls == [("stat", PATH), ("read", SIDECAR)]
    assert copied == CopiedFile(
        sha=SHA, size=len(RAW), copied=False, sidecar_written=False, uploaded=0, version=VERSION
    )


@pytest.mark.parametrize(
    "sidecar", [None, b"", b"0" * 64, SHA.encode() + b"  kubelet", b"x" * 9999]
)
def test_only_the_sidecar_is_written_if_only_it_is_wrong(store, sidecar):
    """A right file with a missing or wrong side-car gets a new one, and is left alone."""
    store.files[PATH] = RAW
    if sidecar is not None:
        store.files[SIDECAR] = sidecar
    copied = copy_file(MemorySource({}), [URL], store, PATH, SHA)
    assert ("write", PATH) not in store.calls
    assert store.files[SIDECAR] == SHA.encode()
    assert copied == CopiedFile(
        sha=SHA, size=len(RAW), copied=False, sidecar_written=True, uploaded=64, version=VERSION
    )


def test_a_sidecar_with_white_space_is_right(store):
    """kOps trims the side-car before it compares, and so do we."""
    store.files.update({PATH: RAW, SIDECAR: SHA.encode() + b"\n"})
    assert not copy_file(MemorySource({}), [URL], store, PATH, SHA).sidecar_written


@pytest.mark.parametrize("damaged", [None, b"", RAW[:-1], RAW + b"\n", RAW.swapcase()])
def test_a_right_sidecar_does_not_hide_a_damaged_file(source, store, damaged):
    """The file itself is looked at: one that is gone or damaged is copied again."""
    store.files[SIDECAR] = SHA.encode()
    if damaged is not None:
        store.files[PATH] = damaged
    assert copy_file(source, [URL], store, PATH, SHA).copied
    assert store.files == {PATH: RAW, SIDECAR: SHA.encode()}


def test_wrong_bytes_are_refused(store):
    """Other bytes than promised: nothing is written, and the message tells source and hashes."""
    with pytest.raises(ChecksumMismatchError) as error:
        copy_file(MemorySource({URL: b"wrong"}), [URL], store, PATH, SHA)
    actual = hashlib.sha256(b"wrong").hexdigest()
    assert str(error.value) == (
        f"source {URL}: expected sha256 {SHA}, got {actual}; nothing was stored"
    )
    assert store.files == {}


@pytest.mark.parametrize(
    "sha", ["", SHA[:40], SHA.upper(), f"sha256:{SHA}", SHA[:-1] + "g", f"{SHA}\n"]
)
def test_the_hash_is_required(source, store, sha):
    """Without a whole SHA-256 nothing is even asked."""
    with pytest.raises(InvalidInputError, match="64 lower-case hex"):
        copy_file(source, [URL], store, PATH, sha)
    assert store.calls == []


def test_a_missing_source_is_told(store):
    """A source that is not there is not found, and nothing is written."""
    with pytest.raises(NotFoundError) as error:
        copy_file(MemorySource({}), [URL], store, PATH, SHA)
    assert error.value.side is Side.SOURCE
    assert store.files == {}


def test_progress_counts_the_bytes_of_the_file(source, store):
    """``on_chunk`` is told all bytes of the file, as they go to the store."""
    told = []
    copy_file(source, [URL], store, PATH, SHA, on_chunk=told.append)
    assert sum(told) == len(RAW)
    assert len(told) > 1


def test_a_copy_can_be_stopped(source, store):
    """What ``on_chunk`` raises ends the copy, and nothing is written."""

    def stop(_):
        raise StoppedError("the task was killed")

    with pytest.raises(StoppedError, match="the task was killed"):
        copy_file(source, [URL], store, PATH, SHA, on_chunk=stop)
    assert store.files == {}


def test_another_writer_of_another_file_is_told(source, store):
    """Something that appears between the look and the write is not overwritten blindly."""

    def intrude(_):
        store.files[PATH] = b"other"

    with pytest.raises(TransientError, match="another writer"):
        copy_file(source, [URL], store, PATH, SHA, on_chunk=intrude)


def test_over_http(file_server, http, store):
    """A copy over HTTP is one GET."""
    file_server.put("/file", BIG)
    copied = copy_file(HttpFileSource(http), [f"{file_server.url}/file"], store, PATH, BIG_SHA)
    assert store.files[PATH] == BIG
    assert copied.size == len(BIG)
    assert [r.method for r in file_server.requests] == ["GET"]


def test_a_source_that_does_not_tell_its_size(without_length, http, store):
    """A body without Content-Length is put aside on disk, and copied all the same."""
    told = []
    source = HttpFileSource(http)
    copied = copy_file(source, [without_length(BIG)], store, PATH, BIG_SHA, on_chunk=told.append)
    assert store.files[PATH] == BIG
    assert copied.size == len(BIG)
    assert 0 in told
    assert sum(told) == len(BIG)


def test_wrong_bytes_of_unknown_size(without_length, http, store):
    """A body without Content-Length is checked like any other."""
    with pytest.raises(ChecksumMismatchError):
        copy_file(HttpFileSource(http), [without_length(BIG)], store, PATH, SHA)
    assert store.files == {}


# Behind a 204 no client reads a body, so one would be taken for the next answer.
@pytest.mark.parametrize(
    ("status", "body"),
    [*((x, RAW) for x in (201, 202, 203, 205, 206, 226)), *((x, b"") for x in (201, 204, 206))],
)
def test_only_a_plain_answer_has_the_file(file_server, http, store, status, body):
    """Of all successes 200 alone says that the body is the file; the next source may have it."""
    file_server.put("/file", RAW)
    file_server.inject(Fault("GET", status=status, body=body, hang_up=True))
    urls = [f"{file_server.url}/file"]
    with pytest.raises(KopsAssetsError, match=f"GET /file answered {status}") as error:
        copy_file(HttpFileSource(http), urls, store, PATH, SHA)
    assert error.value.side is Side.SOURCE
    assert store.files == {}
    file_server.inject(Fault("GET", status=status, body=body, hang_up=True))
    assert copy_file(HttpFileSource(http), urls * 2, store, PATH, SHA).copied


def test_an_empty_answer_is_not_the_file(file_server, http, store):
    """With and without a length; it is the file if the hash is that of no bytes."""
    store.files[PATH] = b"what was there"
    for fault in (Fault(body=b""), Fault(body=b"", headers={"Content-Length": None}, hang_up=True)):
        file_server.put("/file", RAW)
        file_server.inject(fault)
        with pytest.raises(ChecksumMismatchError, match=f"sha256 {SHA}, got an empty answer"):
            copy_file(HttpFileSource(http), [f"{file_server.url}/file"], store, PATH, SHA)
        assert store.files == {PATH: b"what was there"}
    file_server.put("/file", b"")
    nothing = hashlib.sha256(b"").hexdigest()
    copy_file(HttpFileSource(http), [f"{file_server.url}/file"], store, PATH, nothing)
    assert store.files == {PATH: b"", SIDECAR: nothing.encode()}


def test_putting_aside_can_be_stopped(without_length, http, store):
    """``on_chunk`` can end the copy while the file is still being put aside."""

    def stop(count):
        assert count == 0
        raise StoppedError("the task was killed")

    with pytest.raises(StoppedError):
        copy_file(HttpFileSource(http), [without_length(BIG)], store, PATH, BIG_SHA, on_chunk=stop)


def test_a_source_that_ends_early_for_good(file_server, http, store):
    """A source that always breaks off is a failure that may pass, and writes nothing."""
    file_server.put("/file", BIG)
    file_server.inject(Fault("GET", truncate_after=1_500_000, times=1))
    file_server.inject(Fault("GET", truncate_after=0, times=None))
    with pytest.raises(ConnectionFailedError) as error:
        copy_file(HttpFileSource(http), [f"{file_server.url}/file"], store, PATH, BIG_SHA)
    assert error.value.side is Side.SOURCE
    assert store.files == {}


def test_what_is_hashed_is_what_was_sent(file_server, http, store):
    """A body that calls itself gzip is copied as it is, neither unpacked nor refused."""
    file_server.put("/file.tgz", BIG)
    file_server.headers["/file.tgz"] = {"Content-Encoding": "gzip"}
    copy_file(HttpFileSource(http), [f"{file_server.url}/file.tgz"], store, PATH, BIG_SHA)
    assert store.files[PATH] == BIG


def test_the_next_source_is_tried(store):
    """A source that has not the file is passed over, whatever it has instead."""
    others = {"https://a.example/f": b"other bytes", "https://b.example/f": RAW}
    urls = ["https://none.example/f", *others]
    assert copy_file(MemorySource(others), urls, store, PATH, SHA).copied
    assert store.files == {PATH: RAW, SIDECAR: SHA.encode()}


def test_when_no_source_has_it_all_are_named(store):
    """The error has what each of them answered."""
    urls = ["https://a.example/f", "https://b.example/f"]
    with pytest.raises(NotFoundError) as error:
        copy_file(MemorySource({}), urls, store, PATH, SHA)
    assert str(error.value) == (
        "source https://a.example/f: no such file; and https://b.example/f: no such file"
    )
    assert error.value.side is Side.SOURCE
    assert store.files == {}


def test_what_may_pass_is_told_first(file_server, http, store):
    """One source that may recover is reason enough to come back."""
    file_server.inject(Fault("GET", path="/busy", status=503, times=None))
    urls = [f"{file_server.url}/{x}" for x in ("none", "busy")]
    with pytest.raises(TransientError, match=r"/busy answered 503; and .*/none answered 404"):
        copy_file(HttpFileSource(http), urls, store, PATH, SHA)


def test_a_target_that_fails_is_not_the_source_s_fault(file_server, http):
    """No other source is asked when the target is what failed."""

    class Full(MemoryStore):
        def write(self, path, content, *, new=False):
            raise TransientError("the disk is full", side=Side.TARGET)

    file_server.put("/file", RAW)
    urls = [f"{file_server.url}/file"] * 2
    with pytest.raises(TransientError, match="the disk is full"):
        copy_file(HttpFileSource(http), urls, Full(), PATH, SHA)
    assert file_server.count("GET") == 1


def test_deep_believes_no_store(source, store):
    """What the store says of the file is not believed: it is read, and replaced if it is wrong."""

    class Lying(RecordingStore):
        def stat(self, path):
            return replace(super().stat(path), sha=SHA)

    lying = Lying(**{PATH: RAW.swapcase(), SIDECAR: SHA.encode()})
    assert not copy_file(source, [URL], lying, PATH, SHA).copied
    assert copy_file(source, [URL], lying, PATH, SHA, deep=True).copied
    assert lying.files[PATH] == RAW


def test_no_secret_is_told(file_server, http, store):
    """Neither user info nor query of the source's URL are in an error or in what hashes name."""
    file_server.put("/file", BIG)
    url = f"{file_server.url}/file?token=secret".replace("http://", "http://user:secret@")
    for sha in (SHA, "wrong"):
        with pytest.raises((ChecksumMismatchError, InvalidInputError)) as error:
            copy_file(HttpFileSource(http), [url], store, PATH, sha)
        assert "secret" not in str(error.value)
