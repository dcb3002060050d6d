"""What of a file is at a store, and whether it is right."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError, Side, TransientError
from kops_assets_provider.files.ports import FileStore

SIDECAR = ".sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_SIDECAR = 1024  # bytes; what is longer is none


class Presence(StrEnum):
    """What is under a file's path."""

    ABSENT = "absent"
    WRONG = "wrong"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class FileState:
    """
    What ``verify_file`` found.

    :param sidecar: the side-car tells the right hash. Only looked at if the file is right.
    :param size: bytes of what is there.
    :param sha: SHA-256 of what is there, bare hex.
    """

    file: Presence
    sidecar: bool = False
    size: int | None = None
    sha: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to copy."""
        return self.file is Presence.RIGHT and self.sidecar


def verify_file(store: FileStore, path: str, sha: str) -> FileState:
    """
    Compare the file at ``path`` with ``sha``: by the hash that its store keeps, or by reading it.

    kOps looks at the side-car alone (``Run`` in ``pkg/assets/copyfile.go``, v1.36.2), and so takes
    a file that is damaged, or gone, for a good one.

    :param sha: SHA-256, bare hex.
    :raises InvalidInputError: ``sha`` or ``path`` is none.
    :raises KopsAssetsError: what the store raises, if it cannot be asked.
    """
    check_sha(path, sha)
    stored = store.stat(path)
    if stored is None:
        return FileState(Presence.ABSENT)
    actual = stored.sha or _read_sha(store, path)
    if actual != sha:
        return FileState(Presence.WRONG, size=stored.size, sha=actual)
    return FileState(Presence.RIGHT, _tells(store, path + SIDECAR, sha), stored.size, actual)


def check_other_writer(store: FileStore, path: str, place: str, sha: str) -> None:
    """Raise TransientError unless what another writer was first to put at ``path`` is right."""
    if verify_file(store, path, sha).file is not Presence.RIGHT:
        message = f"{place}: another writer was first, with another file"
        raise TransientError(message, side=Side.TARGET)


def is_sha256(value: object) -> bool:
    """Tell whether ``value`` is the text of a SHA-256: 64 lower-case hex digits."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def check_sha(where: str, sha: str) -> str:
    """Return ``sha`` if it is 64 lower-case hex digits, else raise InvalidInputError."""
    if not is_sha256(sha):
        problem = f"sha must be a SHA-256, 64 lower-case hex digits, but is {sha[:80]!r}"
        raise InvalidInputError(where, [problem])
    return sha


def _read_sha(store: FileStore, path: str) -> str:
    hasher = hashlib.sha256()
    with store.read(path) as chunks:
        for chunk in chunks:
            hasher.update(chunk)
    return hasher.hexdigest()


def _tells(store: FileStore, path: str, sha: str) -> bool:
    """Tell whether kOps would accept the side-car: it ignores white space around the hash."""
    raw = b""
    try:
        with store.read(path) as chunks:
            for chunk in chunks:
                raw += chunk
                if len(raw) > _MAX_SIDECAR:
                    return False
    except NotFoundError:
        return False
    return raw.strip() == sha.encode()
