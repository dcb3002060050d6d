"""What is at a store: absent, wrong or right, with the side-car or without."""

from __future__ import annotations

import hashlib

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.memory import MemoryStore
from kops_assets_provider.files.verify import FileState, Presence, verify_file

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
    assert verify_file(store, "file", SHA) == FileState(Presence.ABSENT)


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
