"""What every store that files are copied to must do."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidInputError,
    NotFoundError,
    Side,
    StoppedError,
    TransientError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import FileStore

OLD = b"what was there before"
BIG = b"0123456789abcdef" * (3 << 16)  # 3 MiB: several chunks of any store
PATHS = [
    "kubelet",
    "release/v1.34.0/bin/linux/amd64/kubelet",
    "with space/a+b&c=d",
    "k8s/ünïcode-文件",
    "comma,comma",
    "percent%2Cpercent %20%",
    "a?b#c~d'e(f)",
]


def chunked(raw: bytes, size: int = 1 << 20) -> list[bytes]:
    """Cut bytes into chunks."""
    return [raw[i : i + size] for i in range(0, len(raw), size)]


class FileStoreContract:
    """Subclass it with a fixture ``store`` that gives an empty store."""

    @pytest.mark.parametrize("path", PATHS)
    def test_what_was_written_is_read_back(self, store: FileStore, path: str) -> None:
        """A file comes back byte for byte, whatever characters its path has."""
        store.write(path, Content.of("test", b"content of " + path.encode()))
        assert read(store, path) == b"content of " + path.encode()

    def test_paths_that_look_alike_are_different_files(self, store: FileStore) -> None:
        """A path is taken as it is: neither decoded nor encoded once more."""
        for path in ("a,b", "a%2Cb", "a%252Cb", "a b", "a+b"):
            store.write(path, Content.of("test", path.encode()))
        for path in ("a,b", "a%2Cb", "a%252Cb", "a b", "a+b"):
            assert read(store, path) == path.encode()

    def test_several_chunks(self, store: FileStore) -> None:
        """A file of several chunks keeps their order, and its size is known."""
        store.write("big", content(BIG))
        assert read(store, "big") == BIG
        stored = store.stat("big")
        assert stored is not None
        assert stored.size == len(BIG)

    def test_stat_vouches_for_the_right_hash_or_for_none(self, store: FileStore) -> None:
        """A store that names a hash names that of the bytes that are there."""
        store.write("file", Content.of("test", OLD))
        store.write("file", content(BIG))
        stored = store.stat("file")
        assert stored is not None
        assert stored.sha in (None, hashlib.sha256(BIG).hexdigest())

    def test_an_empty_file(self, store: FileStore) -> None:
        """A file without bytes is a file."""
        store.write("empty", Content.of("test", b""))
        stored = store.stat("empty")
        assert stored is not None
        assert stored.size == 0
        assert read(store, "empty") == b""

    def test_an_absent_file(self, store: FileStore) -> None:
        """What is not there is an answer to a look, and an error to a reader."""
        store.write("there/is", Content.of("test", OLD))
        assert store.stat("there/is-not") is None
        assert store.stat("there") is None
        assert store.stat("there/is/not") is None
        with pytest.raises(NotFoundError) as error:
            read(store, "there/is-not")
        assert error.value.side is Side.TARGET

    def test_a_file_is_replaced(self, store: FileStore) -> None:
        """Writing to a path where something is replaces it."""
        store.write("file", content(BIG))
        store.write("file", Content.of("test", OLD))
        assert read(store, "file") == OLD

    @pytest.mark.parametrize("wrong", [BIG[:-1] + b"!", BIG[:-1], BIG + b"!", b""])
    def test_wrong_bytes_never_appear(self, store: FileStore, wrong: bytes) -> None:
        """Other bytes, too few or too many: nothing is there, and the source is blamed."""
        with pytest.raises(ChecksumMismatchError) as error:
            store.write("file", content(BIG, chunks=chunked(wrong)), new=True)
        assert error.value.side is Side.SOURCE
        assert store.stat("file") is None

    @pytest.mark.parametrize("wrong", [BIG[:-1] + b"!", BIG[:-1], BIG + b"!"])
    def test_wrong_bytes_leave_the_old_file(self, store: FileStore, wrong: bytes) -> None:
        """Wrong bytes over a file leave the file that was there."""
        store.write("file", Content.of("test", OLD))
        with pytest.raises(ChecksumMismatchError):
            store.write("file", content(BIG, chunks=chunked(wrong)))
        assert read(store, "file") == OLD

    @pytest.mark.parametrize("chunks", [[], [b""]])
    @pytest.mark.parametrize("old", [None, OLD])
    def test_an_empty_answer_never_appears(
        self, store: FileStore, old: bytes | None, chunks: list[bytes]
    ) -> None:
        """A source that announces no bytes and sends none leaves what was there."""
        if old is not None:
            store.write("file", Content.of("test", old))
        empty = Content(
            name="https://example.com/file",
            chunks=chunks,
            size=0,
            sha=hashlib.sha256(BIG).hexdigest(),
        )
        with pytest.raises(ChecksumMismatchError, match="got an empty answer") as error:
            store.write("file", empty, new=old is None)
        assert error.value.side is Side.SOURCE
        if old is None:
            assert store.stat("file") is None
        else:
            assert read(store, "file") == old

    def test_an_empty_last_chunk_releases_nothing(self, store: FileStore) -> None:
        """Wrong bytes of the right length, followed by an empty chunk, are not stored."""
        wrong = [*chunked(BIG[:-1] + b"!"), b""]
        with pytest.raises(ChecksumMismatchError):
            store.write("file", content(BIG, chunks=wrong), new=True)
        assert store.stat("file") is None

    def test_a_source_that_dies_leaves_nothing(self, store: FileStore) -> None:
        """A source that breaks midway: its own error comes through, and nothing is there."""
        with pytest.raises(ConnectionFailedError, match="the source broke") as error:
            store.write("file", content(BIG, chunks=breaking()), new=True)
        assert error.value.side is Side.SOURCE
        assert store.stat("file") is None

    def test_a_source_that_dies_leaves_the_old_file(self, store: FileStore) -> None:
        """A source that breaks midway leaves the file that was there."""
        store.write("file", Content.of("test", OLD))
        with pytest.raises(TransientError):
            store.write("file", content(BIG, chunks=breaking()))
        assert read(store, "file") == OLD

    def test_a_copy_can_be_stopped(self, store: FileStore) -> None:
        """What ``on_chunk`` raises ends the upload, and nothing is there."""

        def stop(_: int) -> None:
            raise StoppedError("told to stop")

        sha = hashlib.sha256(BIG).hexdigest()
        with pytest.raises(StoppedError):
            store.write(
                "file",
                Content(name="test", chunks=chunked(BIG), size=len(BIG), sha=sha, on_chunk=stop),
            )
        assert store.stat("file") is None

    def test_the_store_goes_on_after_a_failure(self, store: FileStore) -> None:
        """A write that failed does not disturb the next one."""
        with pytest.raises(TransientError):
            store.write("file", content(BIG, chunks=breaking()), new=True)
        store.write("file", content(BIG), new=True)
        assert read(store, "file") == BIG

    def test_another_writer_with_the_same_file(self, store: FileStore) -> None:
        """If somebody has just written the very same file, that is fine."""
        store.write("file", content(BIG), new=True)
        store.write("file", content(BIG), new=True)
        assert read(store, "file") == BIG

    def test_another_writer_with_another_file(self, store: FileStore) -> None:
        """If somebody has just written another file, one of the two is there as a whole."""
        store.write("file", Content.of("test", OLD))
        try:
            store.write("file", content(BIG), new=True)
        except TransientError:
            assert read(store, "file") == OLD
        else:
            assert read(store, "file") == BIG

    @pytest.mark.parametrize("path", ["", "/a", "../a", "a/../../b", "a/./b", "a//b", "a/", "a\0"])
    def test_no_path_leads_out(self, store: FileStore, path: str) -> None:
        """A path that could lead out of the store is refused by every method."""
        with pytest.raises(InvalidInputError):
            store.stat(path)
        with pytest.raises(InvalidInputError):
            read(store, path)
        with pytest.raises(InvalidInputError):
            store.write(path, Content.of("test", b"x"))


def read(store: FileStore, path: str) -> bytes:
    """Read a whole file back."""
    with store.read(path) as chunks:
        return b"".join(chunks)


def content(right: bytes, chunks: list[bytes] | Iterator[bytes] | None = None) -> Content:
    """Return the content that should be ``right``, made of ``chunks`` if they are given."""
    sha = hashlib.sha256(right).hexdigest()
    return Content(
        name="https://example.com/file",
        chunks=chunked(right) if chunks is None else chunks,
        size=len(right),
        sha=sha,
    )


def breaking() -> Iterator[bytes]:
    """Yield two thirds of ``BIG``, then fail as a source does."""
    yield from chunked(BIG)[:2]
    raise ConnectionFailedError("example.com: the source broke", side=Side.SOURCE)
