"""
Where a fake registry keeps its content: a directory that survives restarts.

::

    blobs/<hex>                            the bytes of every blob and manifest, once
    uploads/<id>                           an upload that is not finished; dropped at a restart
    repositories/<name>/_blobs/<hex>       that blob is in the repository (empty file)
    repositories/<name>/_manifests/<hex>   that manifest is in the repository (its media type)
    repositories/<name>/_tags/<tag>        the tag's digest

A component of a repository's name cannot begin with an underscore, so nested names do not clash.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.support.registry.errors import RegistryError

_DIGEST = re.compile(r"sha256:[a-f0-9]{64}$")


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest or an index, as it was pushed."""

    digest: str
    media_type: str
    data: bytes


class Upload:
    """A blob on its way in: bytes are appended and hashed as they arrive."""

    def __init__(self, directory: Path, repository: str) -> None:
        self.id = uuid.uuid4().hex
        self.repository = repository
        self.size = 0
        self.lock = threading.Lock()
        self.path = directory / self.id
        self.restart()

    @property
    def digest(self) -> str:
        """The digest of what has arrived."""
        return f"sha256:{self._hash.hexdigest()}"

    def restart(self) -> None:
        """Forget what has arrived."""
        self.path.write_bytes(b"")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        """Append a chunk."""
        with self.path.open("ab", buffering=0) as file:
            file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)


class RegistryStorage:
    """Blobs, manifests, tags and uploads in a directory, which is made if it is missing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._uploads: dict[str, Upload] = {}
        shutil.rmtree(root / "uploads", ignore_errors=True)
        for name in ("blobs", "uploads", "repositories"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def create_repository(self, repository: str) -> None:
        """Make an empty repository, unless it is there."""
        for part in ("_blobs", "_manifests", "_tags"):
            self._part(repository, part).mkdir(parents=True, exist_ok=True)

    def has_repository(self, repository: str) -> bool:
        """Tell whether the repository exists."""
        return self._part(repository, "_tags").is_dir()

    def repositories(self) -> list[str]:
        """Return the names of all repositories, sorted."""
        top = self.root / "repositories"
        return sorted(str(tags.parent.relative_to(top)) for tags in top.rglob("_tags"))

    def blob_path(self, digest: str) -> Path:
        """Return the file of a blob or manifest, be it there or not."""
        return self.root / "blobs" / _sha(digest)

    def has_blob(self, repository: str, digest: str) -> bool:
        """Tell whether the repository has the blob."""
        return self._part(repository, "_blobs", _sha(digest)).exists()

    def link_blob(self, repository: str, digest: str) -> None:
        """Make a stored blob part of a repository."""
        self._write(self._part(repository, "_blobs", _sha(digest)), "")

    def put_blob(self, repository: str, data: bytes) -> str:
        """Store a blob in a repository, and return its digest."""
        digest = self._store(data)
        self.create_repository(repository)
        self.link_blob(repository, digest)
        return digest

    def delete_blob(self, repository: str, digest: str) -> None:
        """Take a blob out of a repository; other repositories keep it."""
        self._part(repository, "_blobs", _sha(digest)).unlink(missing_ok=True)

    def put_manifest(
        self, repository: str, data: bytes, media_type: str, tag: str | None = None
    ) -> str:
        """Store a manifest as it is, without looking into it; return its digest."""
        digest = self._store(data)
        self.create_repository(repository)
        self._write(self._part(repository, "_manifests", _sha(digest)), media_type)
        if tag is not None:
            self._write(self._part(repository, "_tags", tag), digest)
        return digest

    def find_manifest(self, repository: str, reference: str) -> StoredManifest | None:
        """Return the manifest with that tag or digest; None if there is none."""
        digest = reference if ":" in reference else self.find_tag(repository, reference)
        link = digest and self._part(repository, "_manifests", _sha(digest))
        if not digest or not link or not link.exists():
            return None
        return StoredManifest(digest, link.read_text(), self.blob_path(digest).read_bytes())

    def manifests(self, repository: str) -> list[StoredManifest]:
        """Return all manifests of a repository."""
        links = self._part(repository, "_manifests").iterdir()
        found = (self.find_manifest(repository, f"sha256:{link.name}") for link in links)
        return [manifest for manifest in found if manifest]

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Take a manifest out of a repository, and the tags that point to it."""
        for tag in self.tags(repository):
            if self.find_tag(repository, tag) == digest:
                self.delete_tag(repository, tag)
        self._part(repository, "_manifests", _sha(digest)).unlink(missing_ok=True)

    def find_tag(self, repository: str, tag: str) -> str | None:
        """Return the digest that a tag points to; None if there is no such tag."""
        path = self._part(repository, "_tags", tag)
        return path.read_text() if path.exists() else None

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take a tag away; its manifest stays."""
        self._part(repository, "_tags", tag).unlink(missing_ok=True)

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted."""
        return sorted(path.name for path in self._part(repository, "_tags").iterdir())

    @property
    def open_uploads(self) -> int:
        """How many uploads were begun, and neither finished nor cancelled."""
        return len(self._uploads)

    def start_upload(self, repository: str) -> Upload:
        """Begin an upload."""
        upload = Upload(self.root / "uploads", repository)
        self._uploads[upload.id] = upload
        return upload

    def find_upload(self, repository: str, upload_id: str) -> Upload | None:
        """Return an upload that was begun in that repository and is not finished."""
        upload = self._uploads.get(upload_id)
        return upload if upload and upload.repository == repository else None

    def finish_upload(self, upload: Upload) -> None:
        """Make what has arrived a blob of the repository."""
        del self._uploads[upload.id]
        upload.path.replace(self.blob_path(upload.digest))
        self.create_repository(upload.repository)
        self.link_blob(upload.repository, upload.digest)

    def cancel_upload(self, upload: Upload) -> None:
        """Throw away what has arrived."""
        del self._uploads[upload.id]
        upload.path.unlink()

    def _store(self, data: bytes) -> str:
        digest = digest_of(data)
        path = self.blob_path(digest)
        if not path.exists():
            self._replace(path, data)
        return digest

    def _part(self, repository: str, *names: str) -> Path:
        return self.root.joinpath("repositories", repository, *names)

    def _write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._replace(path, text.encode())

    def _replace(self, path: Path, data: bytes) -> None:
        # A reader, and a registry that is killed, see the old content or the new: never a part.
        temporary = self.root / "uploads" / f"{uuid.uuid4().hex}.new"
        temporary.write_bytes(data)
        temporary.replace(path)


def digest_of(data: bytes) -> str:
    """Return the digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def check_digest(digest: str) -> None:
    """Refuse what is no digest, before it becomes part of a path."""
    if not _DIGEST.match(digest):
        raise RegistryError(400, "DIGEST_INVALID", f"no sha256 digest: {digest}")


def _sha(digest: str) -> str:
    return digest.removeprefix("sha256:")
