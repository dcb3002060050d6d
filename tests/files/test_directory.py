"""Files in a directory: what the contract does not say."""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    Side,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.directory import DirectoryStore

CONTENT = Content.of("test", b"content")


def test_a_file_can_be_read_by_a_web_server(tmp_path):
    """A file has the permissions that the umask leaves, not those of a temporary file."""
    before = os.umask(0o027)
    try:
        DirectoryStore(tmp_path).write("file", CONTENT)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_file_appears_all_at_once(tmp_path):
    """While a file is written the old one is there, and the new one is in the same directory."""
    (tmp_path / "file").write_bytes(b"old")
    seen = []

    def look(_):
        seen.append((tmp_path / "file").read_bytes())
        seen.append(len(list(tmp_path.iterdir())))

    content = Content(CONTENT.name, CONTENT.chunks, CONTENT.size, CONTENT.sha, look)
    DirectoryStore(tmp_path).write("file", content)
    assert seen == [b"old", 2]
    assert [x.name for x in tmp_path.iterdir()] == ["file"]


def test_nothing_is_left_after_a_failure(tmp_path):
    """The temporary file is removed, whatever went wrong."""

    def fail(_):
        raise ConnectionFailedError("broken")

    content = Content(CONTENT.name, CONTENT.chunks, CONTENT.size, CONTENT.sha, fail)
    with pytest.raises(ConnectionFailedError):
        DirectoryStore(tmp_path).write("file", content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["link/file", "file-link"])
def test_no_link_leads_out(tmp_path, path):
    """A symbolic link out of the directory is neither written through nor read through."""
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "file").write_bytes(b"secret")
    (root / "link").symlink_to(outside)
    (root / "file-link").symlink_to(outside / "file")
    store = DirectoryStore(root)
    for attempt in (
        lambda: store.write(path, CONTENT),
        lambda: store.stat(path),
        lambda: store.read(path).__enter__(),
    ):
        with pytest.raises(InvalidInputError, match="leads out"):
            attempt()
    assert (outside / "file").read_bytes() == b"secret"


def test_a_link_inside_is_followed(tmp_path):
    """A symbolic link that stays inside is what the administrator wanted; so is one to the root."""
    (tmp_path / "disk" / "a").mkdir(parents=True)
    (tmp_path / "disk" / "b").symlink_to("a")
    (tmp_path / "root").symlink_to("disk")
    DirectoryStore(tmp_path / "root").write("b/file", CONTENT)
    assert (tmp_path / "disk" / "a" / "file").read_bytes() == b"content"


def test_a_directory_in_the_way(tmp_path):
    """Where a directory is no file can be, and one where a file is: told, with the place."""
    (tmp_path / "a").mkdir()
    (tmp_path / "file").write_bytes(b"")
    store = DirectoryStore(tmp_path)
    assert store.stat("a") is None
    for path in ("a", "file/b"):
        with pytest.raises(UnsupportedTargetError, match=f"file://{tmp_path}/{path}") as error:
            store.write(path, CONTENT)
        assert error.value.side is Side.TARGET
    assert sorted(x.name for x in tmp_path.iterdir()) == ["a", "file"]


@contextmanager
def as_nobody():
    """Give up root's rights for a while, since root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_directory_that_cannot_be_written(tmp_path):
    """Missing rights are told as such."""
    tmp_path.chmod(0o500)
    store = DirectoryStore(tmp_path)
    with as_nobody(), pytest.raises(AccessDeniedError, match="Permission denied"):
        store.write("file", CONTENT)


def test_a_name_that_is_too_long(tmp_path):
    """A name longer than a file system takes is an error of ours, told with the place."""
    with pytest.raises(UnsupportedTargetError, match="too long"):
        DirectoryStore(tmp_path).write("x" * 300, CONTENT)


def test_the_longest_name_that_a_file_system_takes(tmp_path):
    """The temporary name does not shorten what a file may be called."""
    DirectoryStore(tmp_path).write("x" * 255, CONTENT)
    assert (tmp_path / ("x" * 255)).read_bytes() == b"content"


def test_what_a_killed_copy_has_left_is_removed(tmp_path):
    """After a day, and nothing that is not ours."""
    names = {
        ".0123456789abcdef.part": 90_000,
        ".fedcba9876543210.part": 80_000,
        ".mine.part": 90_000,
    }
    for name, age in names.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    DirectoryStore(tmp_path).write("file", Content.of("test", b"content"))
    left = sorted(x.name for x in tmp_path.iterdir())
    assert left == [".fedcba9876543210.part", ".mine.part", "file"]
