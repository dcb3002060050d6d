"""A repository behind HTTP (distribution spec v1.1.1, ``opencontainers/distribution-spec``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from kops_assets_provider.exceptions import (
    BlobUnknownError,
    ChecksumMismatchError,
    ConnectionFailedError,
    InvalidManifestError,
    NotFoundError,
    PermanentError,
    RequestRejectedError,
    Side,
)
from kops_assets_provider.http.client import Response
from kops_assets_provider.http.errors import place
from kops_assets_provider.http.hashing import without_first
from kops_assets_provider.http.traffic import Traffic
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import (
    ACCEPT,
    MAX_MANIFEST,
    Descriptor,
    Manifest,
    parse_manifest,
)
from kops_assets_provider.oci.ports import OpenBlob, Push
from kops_assets_provider.oci.profile import GENERIC, Profile
from kops_assets_provider.oci.uploads import Uploads

_RANGE = re.compile(r"bytes (\d{1,18})-", re.ASCII)


class RemoteRepository:
    """
    An image source and target.

    :param name: the path in the registry, such as ``kops/kops-controller``.
    :param traffic: counts the requests.
    :param pull_only: ask for no right to push, also at a target.
    """

    def __init__(
        self,
        registry: RegistryClient,
        name: str,
        profile: Profile = GENERIC,
        traffic: Traffic | None = None,
        *,
        pull_only: bool = False,
    ) -> None:
        self.registry = registry
        self.name = name
        self.mounts_published = profile.mounts_published
        self.traffic = traffic or Traffic()
        self._create = profile.create_repository
        self._mounts = True
        self._base = f"{registry.url}/v2/{name}"
        self._side = registry.side
        pushes = registry.side is Side.TARGET and not pull_only
        rights = "pull,push" if pushes else "pull"
        self.scope = f"repository:{name}:{rights}"
        self._uploads = Uploads(self._base, self._request, self._forget)

    def resolve(self, reference: str) -> Digest | None:
        """Ask for a digest with HEAD, and with GET where the registry does not send it."""
        url, headers = self._manifest(reference), {"Accept": ACCEPT}
        with self._request("HEAD", url, headers=headers, accept=(404,)) as response:
            if response.status == 404:
                return None
            digest = response.headers.get("Docker-Content-Digest")
        if digest is None:
            return self.fetch_manifest(reference).digest
        with self._told("HEAD", url):
            return Digest(digest)

    def fetch_manifest(self, reference: str) -> Manifest:
        """Get a manifest and hash it; what the registry says of its digest does not count."""
        url = self._manifest(reference)
        with self._request("GET", url, headers={"Accept": ACCEPT}) as response:
            raw = response.read(limit=MAX_MANIFEST)
            content_type = response.headers.get("Content-Type", "")
        if ":" not in reference:
            with self._told("GET", url):
                return parse_manifest(raw, content_type)
        wanted = Digest(reference)
        hasher = wanted.hasher()
        hasher.update(raw)
        if hasher.hexdigest() != wanted.hex:
            message = f"{place('GET', url)} answered with bytes of {Digest.of(raw)}"
            raise ChecksumMismatchError(message, side=self._side)
        with self._told("GET", url):
            return parse_manifest(raw, content_type, wanted)

    @contextmanager
    def open_blob(self, blob: Descriptor, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open a blob. Registries redirect to their storage; no credentials go there."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        url = f"{self._base}/blobs/{blob.digest}"
        with self._request("GET", url, headers=headers) as response:
            start = 0
            if response.status == 206:
                started = _RANGE.match(response.headers.get("Content-Range", ""))
                start = int(started[1]) if started else -1
            if not 0 <= start <= offset:
                message = f"{place('GET', url)} answered with other bytes than those from {offset}"
                raise ConnectionFailedError(message, side=self._side)
            yield without_first(response.stream(), offset - start)

    def has_blob(self, digest: Digest, repository: str) -> bool:
        """Ask with HEAD."""
        url = f"{self.registry.url}/v2/{repository}/blobs/{digest}"
        with self._request("HEAD", url, reads=repository, accept=(404,)) as response:
            return response.status != 404

    def push_blob(
        self,
        blob: Descriptor,
        open_blob: OpenBlob,
        mount_from: str | None = None,
        comes: Callable[[], bool] | None = None,
    ) -> Push:
        """Mount a blob, or upload it in one PUT, unless the repository has it."""
        session = self._start(blob, mount_from)
        if session and mount_from and comes and self._comes(session, comes):
            session = self._start(blob, mount_from)
        if session is None:
            return Push.MOUNTED if mount_from not in (None, self.name) else Push.PRESENT
        self._uploads.finish(session, blob, open_blob)
        return Push.SENT

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """
        Put a manifest's very bytes. A tag that may not be moved is right if it has them already.

        :raises BlobUnknownError: something that it names is not there.
        :raises ChecksumMismatchError: the registry says that it stored something else.
        """
        url = self._manifest(reference)
        headers = {"Content-Type": manifest.media_type}
        try:
            with self._request("PUT", url, headers=headers, body=manifest.raw) as response:
                stored = response.headers.get("Docker-Content-Digest")
        except (RequestRejectedError, NotFoundError) as err:
            if "BLOB_UNKNOWN" in str(err):
                # It may say that it mounted what it does not have, and would say so again.
                self._mounts = False
                raise BlobUnknownError(str(err).removeprefix("target "), side=self._side) from err
            if self._has(reference, manifest):
                return
            raise
        # A registry answers with a digest of its own algorithm: only equal ones can be compared.
        if stored and stored.startswith("sha256:") and stored != Digest.of(manifest.raw):
            message = f"{place('PUT', url)} stored {stored[:80]!r} instead of {manifest.digest}"
            raise ChecksumMismatchError(message, side=self._side)

    def _has(self, reference: str, manifest: Manifest) -> bool:
        try:
            return self.resolve(reference) == manifest.digest
        except PermanentError:
            return False

    def _comes(self, session: Any, comes: Callable[[], bool]) -> bool:
        """Tell whether the blob comes, so that the session is not needed."""
        try:
            is_coming = comes()
        except BaseException:
            self._uploads.cancel(session)
            raise
        if is_coming:
            self._uploads.cancel(session)
        return is_coming

    def _start(self, blob: Descriptor, mount_from: str | None) -> Any:
        if not self._mounts:
            return self._uploads.start_unmounted()
        try:
            return self._uploads.start(blob, mount_from or self.name)
        except NotFoundError:
            if self._create is None:
                raise
            self._create(self.name)
            return self._uploads.start(blob, mount_from or self.name)

    def _manifest(self, reference: str) -> str:
        return f"{self._base}/manifests/{quote(reference, safe=':')}"

    @contextmanager
    def _request(
        self, method: str, url: str, *, reads: str | None = None, **options: Any
    ) -> Iterator[Response]:
        """Send a request; ``reads`` is another repository that it needs to be pulled from."""
        self.traffic.add(method)
        other = reads and reads != self.name
        scope = f"{self.scope} repository:{reads}:pull" if other else self.scope
        with self.registry.request(method, url, scope=scope, **options) as response:
            yield response

    def _forget(self) -> None:
        self.registry.forget(self.scope)

    @contextmanager
    def _told(self, method: str, url: str) -> Iterator[None]:
        """Say where a manifest that breaks the rules came from."""
        try:
            yield
        except InvalidManifestError as err:
            raise InvalidManifestError(f"{place(method, url)}: {err}", side=self._side) from err
