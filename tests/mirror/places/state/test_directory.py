"""A state store in a directory: what is read of it, and where links may lead."""

from __future__ import annotations

import os
import re

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.places.state.directory import DirectoryStateStore


def test_a_huge_document_is_refused(tmp_path):
    """What is read into memory has a limit."""
    with (tmp_path / "config").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(InvalidInputError, match="longer than"):
        DirectoryStateStore(tmp_path).read("config")


def test_a_link_to_itself_is_told(tmp_path):
    """No try will find its end."""
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InvalidInputError, match=r"loop: its links lead in a circle"):
        DirectoryStateStore(tmp_path).read("loop")


@pytest.mark.parametrize("target", ["../outside", "c/pki", "c/secrets/deeper"])
def test_no_link_leads_out_or_to_keys(tmp_path, target):
    """Neither a file's nor a folder's; the error says where it leads."""
    root = tmp_path / "state"
    folder = root / target
    folder.mkdir(parents=True)
    (folder / "key").write_text("key")
    (root / "file").symlink_to(f"{target}/key")
    (root / "folder").symlink_to(target)
    store, real = DirectoryStateStore(root), re.escape(str(folder.resolve()))
    for path in ("file", "folder/key"):
        with pytest.raises(InvalidInputError, match=f"{path}: .*leads to {real}/key"):
            store.read(path)
    with pytest.raises(InvalidInputError, match=f"folder: .*leads to {real}"):
        store.list("folder")


def test_a_link_inside_is_followed(tmp_path):
    """Kubernetes mounts a ConfigMap so; and the store itself may be behind a link."""
    (tmp_path / "mounted" / "..2026").mkdir(parents=True)
    (tmp_path / "mounted" / "..2026" / "config").write_bytes(b"a")
    (tmp_path / "mounted" / "..data").symlink_to("..2026")
    (tmp_path / "mounted" / "config").symlink_to("..data/config")
    (tmp_path / "state").symlink_to("mounted")
    store = DirectoryStateStore(tmp_path / "state")
    assert store.read("config") == b"a"
    assert store.list() == ["..2026/", "..data/", "config"]


@pytest.mark.timeout(20)
def test_only_regular_files_are_read(tmp_path):
    """A FIFO would be waited for, and a device has no end."""
    os.mkfifo(tmp_path / "config")
    with pytest.raises(InvalidInputError, match="config: it is a pipe, not a regular file"):
        DirectoryStateStore(tmp_path).read("config")
