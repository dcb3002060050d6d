"""Files in a directory: what the contract does not say."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    NotFoundError,
    Side,
    TransientError,
    UnsupportedTargetError,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.copy import copy_file
from kops_assets_provider.files.directory import DirectoryStore
from tests.support.memory_files import MemorySource

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

    content = Content(
        name=CONTENT.name, chunks=CONTENT.chunks, size=CONTENT.size, sha=CONTENT.sha, on_chunk=look
    )
    DirectoryStore(tmp_path).write("file", content)
    assert seen == [b"old", 2]
    assert [x.name for x in tmp_path.iterdir()] == ["file"]


def test_nothing_is_left_after_a_failure(tmp_path):
    """The temporary file is removed, whatever went wrong."""

    def fail(_):
        raise ConnectionFailedError("broken")

    content = Content(
        name=CONTENT.name, chunks=CONTENT.chunks, size=CONTENT.size, sha=CONTENT.sha, on_chunk=fail
    )
    with pytest.raises(ConnectionFailedError):
        DirectoryStore(tmp_path).write("file", content)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [".0123456789abcdef.part", "a/.fedcba9876543210.part"])
def test_no_file_is_named_like_a_temporary_one(tmp_path, path):
    """A later write would take it for the remains of a killed copy, and remove it."""
    with pytest.raises(InvalidInputError, match="temporary"):
        DirectoryStore(tmp_path).write(path, CONTENT)
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


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_circle(path):
    path.symlink_to(path.name)


IRREGULAR = {
    "pipe": (os.mkfifo, "it is a pipe, not a regular file"),
    "socket": (make_socket, "it is a socket"),
    "circle": (make_circle, "symbolic link"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_not_a_regular_file_is_refused_and_left(tmp_path, monkeypatch, kind):
    """A pipe would be waited for, and what somebody has put there is not ours to replace."""
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    make, words = IRREGULAR[kind]
    make(Path("file"))
    before = (tmp_path / "file").lstat()
    store = DirectoryStore(tmp_path)
    for attempt in (
        lambda: store.stat("file"),
        lambda: store.read("file").__enter__(),
        lambda: store.write("file", CONTENT),
        lambda: store.write("file", CONTENT, new=True),
    ):
        with pytest.raises(UnsupportedTargetError, match=words) as error:
            attempt()
        assert error.value.side is Side.TARGET
        assert f"file://{tmp_path}/file: " in str(error.value)
    assert (tmp_path / "file").lstat() == before
    assert [x.name for x in tmp_path.iterdir()] == ["file"]


@pytest.mark.timeout(20)
def test_a_device_is_not_read(tmp_path):
    """It has no end."""
    with pytest.raises(UnsupportedTargetError, match="it is a device"):
        DirectoryStore("/dev").read("zero").__enter__()


@pytest.mark.timeout(20)
def test_a_pipe_that_appears_between_look_and_open(tmp_path, monkeypatch):
    """What was opened counts, not what was there before."""
    (tmp_path / "file").write_bytes(b"content")
    store = DirectoryStore(tmp_path)
    opened = os.open

    def swap(path, *arguments, **options):
        if Path(path).name == "file":
            Path(path).unlink()
            os.mkfifo(path)
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(UnsupportedTargetError, match="it is a pipe"):
        store.read("file").__enter__()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_side_car_that_is_not_a_regular_file(tmp_path, make):
    """The copy fails and says where; nothing is removed."""
    copy = (MemorySource({"https://a.example/f": b"content"}), ["https://a.example/f"])
    make(tmp_path / "file.sha256")
    for _ in range(2):
        with pytest.raises(UnsupportedTargetError, match=f"file://{tmp_path}/file.sha256: it is a"):
            copy_file(copy[0], copy[1], DirectoryStore(tmp_path), "file", CONTENT.sha)
    assert sorted(x.name for x in tmp_path.iterdir()) == ["file", "file.sha256"]


def test_a_link_to_nothing_is_an_absent_file(tmp_path):
    """If it stays inside, what it leads to is written."""
    (tmp_path / "file").symlink_to("elsewhere")
    store = DirectoryStore(tmp_path)
    assert store.stat("file") is None
    with pytest.raises(NotFoundError):
        store.read("file").__enter__()
    store.write("file", CONTENT, new=True)
    assert (tmp_path / "elsewhere").read_bytes() == b"content"


def leave(directory, name, age):
    """Make a file that got its last byte ``age`` seconds ago."""
    file = directory / name
    file.write_bytes(b"x")
    os.utime(file, (time.time() - age,) * 2)
    return file


def test_what_a_killed_copy_has_left_is_removed(tmp_path):
    """After a day, and nothing that is not ours."""
    leave(tmp_path, ".0123456789abcdef.part", 90_000)
    leave(tmp_path, ".fedcba9876543210.part", 80_000)
    leave(tmp_path, ".mine.part", 90_000)
    os.mkfifo(tmp_path / ".aaaaaaaaaaaaaaaa.part")
    os.utime(tmp_path / ".aaaaaaaaaaaaaaaa.part", (0, 0))
    (tmp_path / ".bbbbbbbbbbbbbbbb.part").symlink_to("nowhere")
    os.utime(tmp_path / ".bbbbbbbbbbbbbbbb.part", (0, 0), follow_symlinks=False)
    DirectoryStore(tmp_path).write("file", Content.of("test", b"content"))
    left = sorted(x.name for x in tmp_path.iterdir())
    assert left == [
        ".aaaaaaaaaaaaaaaa.part",
        ".bbbbbbbbbbbbbbbb.part",
        ".fedcba9876543210.part",
        ".mine.part",
        "file",
    ]


def test_a_clock_that_is_ahead_removes_nothing(tmp_path, monkeypatch):
    """Another host's copy may run, whose lock we cannot see: the file system's clock counts."""
    running = leave(tmp_path, ".0123456789abcdef.part", 3600)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86_400)
    monkeypatch.setattr(time, "time_ns", lambda: int((now + 10 * 86_400) * 1e9))
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert running.exists()


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    """A file system that knows no locks: files are written, and leftovers stay."""

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    left = leave(tmp_path, ".0123456789abcdef.part", 90_000)
    monkeypatch.setattr(fcntl, "flock", refuse)
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert left.exists()
    assert (tmp_path / "file").read_bytes() == b"content"


WRITER = """
import sys
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.directory import DirectoryStore

def chunks():
    yield b"cont"
    print("writing", flush=True)
    yield sys.stdin.buffer.readline().strip()

content = Content(name="test", chunks=chunks(), size=7, sha=sys.argv[2])
DirectoryStore(sys.argv[1]).write("other", content)
"""


@pytest.fixture
def writer(tmp_path):
    """A copy in another process, in the middle of its file."""
    command = [sys.executable, "-c", WRITER, str(tmp_path), CONTENT.sha]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        try:
            assert process.stdout.readline() == b"writing\n"
            yield process
        finally:
            process.kill()


def test_a_running_copy_keeps_its_file_whatever_the_clocks_say(tmp_path, writer):
    """Its lock says that it lives, even if its last byte seems to be days old."""
    (part,) = tmp_path.glob(".*.part")
    os.utime(part, (0, 0))
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert part.exists()
    writer.communicate(b"ent\n", timeout=20)
    assert writer.returncode == 0
    assert sorted(x.name for x in tmp_path.iterdir()) == ["file", "other"]
    assert (tmp_path / "other").read_bytes() == b"content"


def test_a_killed_copy_loses_its_lock(tmp_path, writer):
    """Its file is removed when it is old enough, and not before."""
    (part,) = tmp_path.glob(".*.part")
    writer.kill()
    writer.wait(timeout=20)
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert part.exists()
    os.utime(part, (0, 0))
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert [x.name for x in tmp_path.iterdir()] == ["file"]


def test_a_leftover_that_cannot_be_removed_fails_no_copy(tmp_path, monkeypatch):
    """Another user's, in a directory where everybody may write."""
    left = leave(tmp_path, ".0123456789abcdef.part", 90_000)
    opened = os.open

    def refuse(path, *arguments, **options):
        if Path(path) == left:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    DirectoryStore(tmp_path).write("file", CONTENT)
    assert left.exists()
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize(("code", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_directory_that_cannot_be_flushed(tmp_path, monkeypatch, code, fails):
    """EINVAL is how file systems say that they do not flush directories; all else is an error."""
    flush = os.fsync

    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    if fails:
        with pytest.raises(TransientError, match="Input/output error"):
            DirectoryStore(tmp_path).write("file", CONTENT)
    else:
        DirectoryStore(tmp_path).write("file", CONTENT)
    assert (tmp_path / "file").read_bytes() == b"content"


def test_a_file_that_cannot_be_flushed_is_not_shown(tmp_path, monkeypatch):
    """For a file EINVAL is an error as well."""

    def refuse(_):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(TransientError):
        DirectoryStore(tmp_path).write("file", CONTENT)
    assert not list(tmp_path.iterdir())
