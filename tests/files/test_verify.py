"""What is at a store: absent, wrong or right, with the side-car or without."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from kops_assets_provider.exceptions import InvalidInputError, StoppedError
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.verify import (
    FileState,
    KnownFile,
    Look,
    Presence,
    verify_file,
)
from tests.support.memory_files import MemoryStore

RAW = b"content"
SHA = hashlib.sha256(RAW).hexdigest()


@pytest.fixture(params=["keeps hashes", "keeps none"])
def put(request, tmp_path):
    """Return a store of either kind, and what puts files into it behind its back."""
    if request.param == "keeps hashes":
        store = MemoryStore()
        return store, store.files.__setitem__
    return DirectoryStore(tmp_path), lambda path, raw: (tmp_path / path).write_bytes(raw)


def test_absent(put):
    """Nothing is there, even if a side-car is."""
    store, put_file = put
    put_file("file.sha256", SHA.encode())
    assert verify_file(store, "file", SHA) == FileState(file=Presence.ABSENT)


def test_wrong(put):
    """Another file is there: its size and hash are told."""
    store, put_file = put
    put_file("file", b"another")
    put_file("file.sha256", SHA.encode())
    actual = hashlib.sha256(b"another").hexdigest()
    state = verify_file(store, "file", SHA)
    assert (state.file, state.size, state.sha) == (Presence.WRONG, 7, actual)
    assert not state.is_complete


def test_right_without_sidecar(put):
    """The file is right, but not complete without its side-car."""
    store, put_file = put
    put_file("file", RAW)
    state = verify_file(store, "file", SHA)
    found = state.file, state.sidecar, state.size, state.sha
    assert found == (Presence.RIGHT, False, 7, SHA)
    assert not state.is_complete


def test_complete(put):
    """File and side-car are right."""
    store, put_file = put
    put_file("file", RAW)
    put_file("file.sha256", SHA.encode())
    assert verify_file(store, "file", SHA).is_complete


def test_what_is_no_hash_is_refused(put):
    """A hash of another kind verifies nothing."""
    with pytest.raises(InvalidInputError):
        verify_file(put[0], "file", hashlib.sha1(RAW).hexdigest())


class Counting(MemoryStore):
    """A store that keeps no hashes, only versions, and counts what it is asked."""

    lists_all = False

    def __init__(self, **files):
        super().__init__()
        self.files.update(files)
        self.calls = []

    def stat(self, path):
        self.calls.append(("stat", path))
        found = super().stat(path)
        return found and replace(found, sha=None)

    def read(self, path):
        self.calls.append(("read", path))
        return super().read(path)


def md5(raw):
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()


@pytest.fixture
def counting():
    return Counting(file=RAW, **{"file.sha256": SHA.encode()})


def test_what_was_read_once_is_not_read_again(counting):
    """The version is the one that was read, and is the one that is there."""
    first = verify_file(counting, "file", SHA)
    assert first.is_complete
    assert counting.calls[:2] == [("stat", "file"), ("read", "file")]
    counting.calls.clear()
    known = KnownFile(size=first.size, version=first.version)
    assert verify_file(counting, "file", SHA, lambda: known).is_complete
    assert counting.calls == [("stat", "file"), ("read", "file.sha256")]


@pytest.mark.parametrize("known", [KnownFile(), KnownFile(version="another")])
def test_what_is_not_known_is_read(counting, known):
    """Another version says nothing: it may be the same bytes, or not."""
    assert verify_file(counting, "file", SHA, lambda: known).is_complete
    assert ("read", "file") in counting.calls


def test_a_truncated_file_is_not_read(counting):
    """Another size than that of the right file is enough."""
    counting.files["file"] = RAW[:-1]
    state = verify_file(counting, "file", SHA, lambda: KnownFile(size=len(RAW)))
    assert (state.file, state.size, state.sha) == (Presence.WRONG, len(RAW) - 1, None)
    assert counting.calls == [("stat", "file")]


def test_what_is_left_unread(counting):
    """Who only looks leaves the reading to the copy."""
    state = verify_file(counting, "file", SHA, look=Look(read=False))
    assert (state.file, state.version) == (Presence.UNREAD, md5(RAW))
    assert counting.calls == [("stat", "file")]


def test_without_a_version_it_is_read_all_the_same(tmp_path):
    """A directory: what is left unread today would be unread tomorrow."""
    (tmp_path / "file").write_bytes(RAW)
    state = verify_file(DirectoryStore(tmp_path), "file", SHA, look=Look(read=False))
    assert state.file is Presence.RIGHT


@pytest.mark.parametrize(
    ("listed", "known", "asked"),
    [
        (StoredFile(size=64, version=md5(SHA.encode())), KnownFile(), False),
        (StoredFile(size=64, version="opaque"), KnownFile(sidecar="opaque"), False),
        (StoredFile(size=65, version="opaque"), KnownFile(sidecar="opaque"), False),
        (StoredFile(size=64, version="opaque"), KnownFile(sidecar="other"), True),
        (StoredFile(size=65, version=md5(SHA.encode())), KnownFile(), True),
        (StoredFile(size=64), KnownFile(), True),
        (None, KnownFile(sidecar="opaque"), True),
    ],
)
def test_a_listing_tells_of_the_side_car(counting, listed, known, asked):
    """By its MD5, or by the version that was found right before; else it is read."""
    look = Look(listed={"file.sha256": listed} if listed else {})
    state = verify_file(counting, "file", SHA, lambda: known, look)
    assert state.is_complete
    assert (("read", "file.sha256") in counting.calls) is asked
    assert state.sidecar_version == (listed.version if listed else None)


def test_a_listing_may_tell_of_the_file(counting):
    """Where it tells all that a look at the file does, none is needed."""
    listed = {"file": StoredFile(size=len(RAW), sha=SHA)}
    counting.lists_all = True
    assert verify_file(counting, "file", SHA, look=Look(listed=listed)).file is Presence.RIGHT
    assert ("stat", "file") not in counting.calls
    counting.lists_all = False
    verify_file(counting, "file", SHA, look=Look(listed=listed))
    assert ("stat", "file") in counting.calls


def test_deep_reads_file_and_side_car(counting):
    """Whatever store, listing and record say."""
    listed = {
        "file": StoredFile(size=len(RAW), sha=SHA),
        "file.sha256": StoredFile(size=64, version=md5(SHA.encode())),
    }
    counting.files |= {"file": RAW.swapcase(), "file.sha256": b"wrong"}
    known = KnownFile(size=len(RAW), version=md5(RAW.swapcase()), sidecar="x")
    state = verify_file(counting, "file", SHA, lambda: known, Look(listed=listed, deep=True))
    assert state.file is Presence.WRONG
    counting.files["file"] = RAW
    state = verify_file(counting, "file", SHA, lambda: known, Look(listed=listed, deep=True))
    assert (state.file, state.sidecar) == (Presence.RIGHT, False)


def test_reading_can_be_stopped(counting):
    """A killed task does not read on."""

    def stop(_):
        raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        verify_file(counting, "file", SHA, look=Look(on_read=stop))
