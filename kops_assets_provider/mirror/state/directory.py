"""A state store in a directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, TransientError
from kops_assets_provider.files.paths import check_path
from kops_assets_provider.mirror.state.ports import MAX_BYTES


class DirectoryStateStore:
    """A ``StateStore``: the files below a directory."""

    def __init__(self, directory: str | Path) -> None:
        self._root = Path(directory)
        self.place = str(directory)

    def read(self, path: str) -> bytes | None:
        """Read a file."""
        file = self._root / check_path(path)
        with _told(file):
            try:
                with file.open("rb") as opened:
                    data = opened.read(MAX_BYTES + 1)
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return None
        if len(data) > MAX_BYTES:
            raise InvalidInputError(str(file), [f"it is longer than {MAX_BYTES} bytes"])
        return data

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a directory."""
        directory = self._root / check_path(folder) if folder else self._root
        with _told(directory):
            try:
                return sorted(f"{x.name}/" if x.is_dir() else x.name for x in directory.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as err:
        raise AccessDeniedError(f"{path}: {err.strerror}") from err
    except OSError as err:
        raise TransientError(f"{path}: {err.strerror or err}") from err
