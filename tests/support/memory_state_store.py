"""A state store in memory, for tests."""

from __future__ import annotations

from collections.abc import Mapping

from kops_assets_provider.files.store_paths import check_path


class MemoryStateStore:
    """A ``StateStore``: ``asked`` has every path that was read or listed."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self.place = "memory"
        self.documents = dict(documents)
        self.asked: list[str] = []

    def read(self, path: str) -> bytes | None:
        """Return a document."""
        self.asked.append(path)
        return self.documents.get(check_path(path))

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a folder."""
        prefix = f"{check_path(folder)}/" if folder else ""
        self.asked.append(prefix)
        rests = [x.removeprefix(prefix) for x in self.documents if x.startswith(prefix)]
        return sorted({first + slash for first, slash, _ in (x.partition("/") for x in rests)})
