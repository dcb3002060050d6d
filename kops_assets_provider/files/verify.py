"""What of a file is at a store, and whether it is right."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError, Side, TransientError
from kops_assets_provider.files.ports import FileStore, StoredFile
from kops_assets_provider.http.hashing import OnChunk

SIDECAR = ".sha256"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MAX_SIDECAR = 1024  # bytes; what is longer is none


class Presence(StrEnum):
    """What is under a file's path. *Unread*: something of which no hash is known yet."""

    ABSENT = "absent"
    WRONG = "wrong"
    UNREAD = "unread"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """
    What is known of a file from before. It saves requests, and is never needed.

    :param size: bytes of the right file.
    :param version: of the file at the store, when its bytes were last found to be right.
    :param sidecar: of its side-car, likewise.
    """

    size: int | None = None
    version: str | None = None
    sidecar: str | None = None


NOTHING = KnownFile()
Recall = Callable[[], KnownFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """
    What ``verify_file`` found.

    :param sidecar: the side-car tells the right hash. Only looked at if the file is right.
    :param size: bytes of what is there.
    :param sha: SHA-256 of what is there, bare hex, if it is known.
    :param version: of what is there, and ``sidecar_version`` of its side-car, if they are known.
    """

    file: Presence
    sidecar: bool = False
    size: int | None = None
    sha: str | None = None
    version: str | None = None
    sidecar_version: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing to copy."""
        return self.file is Presence.RIGHT and self.sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """
    How to look.

    :param listed: what ``FileStore.list`` has told of the store.
    :param read: read a file of which no hash is known, instead of leaving it *unread*. One without
        a version is read anyway: the next look would know no more.
    :param deep: read every file, and its side-car, whatever is known of it.
    :param on_read: told 0 for each chunk that is read; may raise to end it.
    """

    listed: Mapping[str, StoredFile] = field(default_factory=dict)
    read: bool = True
    deep: bool = False
    on_read: OnChunk | None = None


def verify_file(
    store: FileStore,
    path: str,
    sha: str,
    recall: Recall = lambda: NOTHING,
    look: Look | None = None,
) -> FileState:
    """
    Compare the file at ``path`` with ``sha``: by the hash that its store keeps, or by reading it.

    kOps looks at the side-car alone (``Run`` in ``pkg/assets/copyfile.go``, v1.36.2), and so takes
    a file that is damaged, or gone, for a good one.

    :param sha: SHA-256, bare hex.
    :param recall: tells what is known of the file; called if the store itself does not tell enough.
    :raises InvalidInputError: ``sha`` or ``path`` is none.
    :raises KopsAssetsError: what the store raises, if it cannot be asked.
    """
    check_sha(path, sha)
    look = look or Look()
    found = _look_at(store, path, sha, recall, look)
    if found.file is not Presence.RIGHT:
        return found
    listed = look.listed.get(path + SIDECAR)
    told = not look.deep and listed is not None and _is_right(listed, sha, recall)
    sidecar = told or _tells(store, path + SIDECAR, sha)
    return replace(found, sidecar=sidecar, sidecar_version=listed.version if listed else None)


def _look_at(store: FileStore, path: str, sha: str, recall: Recall, look: Look) -> FileState:
    listed = look.listed.get(path) if store.lists_all else None
    stored = listed or store.stat(path)
    if stored is None:
        return FileState(file=Presence.ABSENT)
    found = FileState(file=Presence.WRONG, size=stored.size, sha=stored.sha, version=stored.version)
    actual = None if look.deep else stored.sha
    if actual is None and not look.deep:
        known = recall()
        if known.size not in (None, stored.size):
            return found
        if stored.version is not None and stored.version == known.version:
            actual = sha
        elif stored.version is not None and not look.read:
            return replace(found, file=Presence.UNREAD)
    actual = actual or _read_sha(store, path, look.on_read)
    return replace(found, sha=actual, file=Presence.RIGHT if actual == sha else Presence.WRONG)


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


def _is_right(sidecar: StoredFile, sha: str, recall: Recall) -> bool:
    """Tell whether a listing alone says that a side-car has the hash in it."""
    if sidecar.version is None:
        return False
    text = sha.encode()
    # The MD5 of what we have written ourselves is no secret of the store's: it can be computed.
    by_md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    is_bare = sidecar.size == len(text) and sidecar.version == by_md5
    return is_bare or sidecar.version == recall().sidecar


def _read_sha(store: FileStore, path: str, on_read: OnChunk | None) -> str:
    hasher = hashlib.sha256()
    try:
        with store.read(path) as chunks:
            for chunk in chunks:
                if on_read:
                    on_read(0)
                hasher.update(chunk)
    except NotFoundError as err:
        # It was there a moment ago: another writer has removed it, or put another in its place.
        message = str(err).removeprefix(f"{Side.TARGET} ")
        raise TransientError(f"{message}; it was there before", side=Side.TARGET) from err
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
