"""A state store in a directory."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, TransientError
from kops_assets_provider.files.store_paths import check_path
from kops_assets_provider.mirror.places.state.ports import MAX_BYTES, PRIVATE
from kops_assets_provider.regular_files import IrregularFileError, open_regular


class DirectoryStateStore:
    """
    A ``StateStore``: the files below a directory.

    A symbolic link is followed as long as it stays below the directory, as Kubernetes mounts a
    ConfigMap, and out of the folders with keys and tokens.
    """

    def __init__(self, directory: str | Path) -> None:
        self._root = Path(directory)
        self.place = str(directory)

    def read(self, path: str) -> bytes | None:
        """Read a file."""
        file = self._root / check_path(path)
        with _told(file):
            real = self._follow(file)
            try:
                with open_regular(real, follow=False) as opened:
                    data = opened.read(MAX_BYTES + 1)
            except IrregularFileError as err:
                if real.is_dir():
                    return None
                raise InvalidInputError(str(file), [f"{err.strerror}"]) from err
            except (FileNotFoundError, NotADirectoryError):
                return None
        if len(data) > MAX_BYTES:
            raise InvalidInputError(str(file), [f"it is longer than {MAX_BYTES} bytes"])
        return data

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a directory."""
        directory = self._root / check_path(folder) if folder else self._root
        with _told(directory):
            real = self._follow(directory)
            try:
                return sorted(f"{x.name}/" if x.is_dir() else x.name for x in real.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                return []

    def _follow(self, file: Path) -> Path:
        """Return where ``file`` really is; raises InvalidInputError if nobody should go there."""
        root, real = (Path(os.path.realpath(x)) for x in (self._root, file))
        if not real.is_relative_to(root):
            problem = f"a link leads to {real}; it must stay in the store, below {root}"
            raise InvalidInputError(str(file), [problem])
        if PRIVATE.intersection(real.relative_to(root).parts):
            problem = f"it leads to {real}, but what is in pki/ and secrets/ is never read"
            raise InvalidInputError(str(file), [problem])
        return real


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as err:
        raise AccessDeniedError(f"{path}: {err.strerror}") from err
    except OSError as err:
        if err.errno == errno.ELOOP:
            raise InvalidInputError(str(path), ["its links lead in a circle"]) from err
        raise TransientError(f"{path}: {err.strerror or err}") from err
