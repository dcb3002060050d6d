"""What every state store must do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.places.state.ports import StateStore

DOCUMENTS = {
    "a.example.com/config": b"a",
    "a.example.com/instancegroup/nodes": b"nodes",
    "a.example.com/instancegroup/control-plane-1": b"control plane",
    "a.example.com/instancegroup/deeper/x": b"x",
    "a.example.com/instancegroups/other": b"other",
    "a.example.com/secrets/token": b"secret",
    "b.example.com/config": b"b",
    "b.example.com/empty": b"",
    "notes": b"notes",
}
MakeStore = Callable[[Mapping[str, bytes]], StateStore]


class StateStoreContract:
    """Subclass it with a fixture ``store`` that gives a store of ``DOCUMENTS``."""

    def test_a_document_is_read(self, store: StateStore) -> None:
        """A document comes back byte for byte."""
        assert store.read("a.example.com/config") == b"a"

    def test_an_empty_document_is_one(self, store: StateStore) -> None:
        """It is there, so it is not None."""
        assert store.read("b.example.com/empty") == b""

    @pytest.mark.parametrize("path", ["a.example.com/nothing", "nothing/at/all", "a.example.com"])
    def test_what_is_not_there_is_none(self, store: StateStore, path: str) -> None:
        """Neither a missing document nor a folder is an error."""
        assert store.read(path) is None

    def test_a_folder_is_listed(self, store: StateStore) -> None:
        """The names right below it, sorted; a folder whose name begins alike is another one."""
        names = ["control-plane-1", "deeper/", "nodes"]
        assert store.list("a.example.com/instancegroup") == names

    def test_the_top_is_listed(self, store: StateStore) -> None:
        """Folders are told by the slash at their end."""
        assert store.list() == ["a.example.com/", "b.example.com/", "notes"]

    def test_an_absent_folder_is_empty(self, store: StateStore) -> None:
        """Object stores know no folders, so that there is none is no error."""
        assert store.list("c.example.com/instancegroup") == []

    @pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "a//b", ""])
    def test_no_path_leads_out(self, store: StateStore, path: str) -> None:
        """A path that could lead out of the place is refused."""
        with pytest.raises(InvalidInputError):
            store.read(path)

    def test_it_says_where_it_is(self, store: StateStore) -> None:
        """Messages can name the place."""
        assert store.place
        assert not store.place.endswith("/")
