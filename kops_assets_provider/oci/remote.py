"""
A repository behind HTTP: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md.

An upload starts with ``POST …/blobs/uploads/?mount=<digest>&from=<this repository>``: 201 says that
the blob is there already, 202 opens the upload session, so that one request does what a HEAD and a
POST would. A registry that knows no mounts answers 202, as the spec wants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import quote, urlencode, urlsplit

from kops_assets_provider.exceptions import (
    ChecksumMismatchError,
    InvalidManifestError,
    KopsAssetsError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.errors import place
from kops_assets_provider.http.urls import lead
from kops_assets_provider.oci.client import RegistryClient
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import (
    ACCEPT,
    MAX_MANIFEST,
    Descriptor,
    Manifest,
    parse_manifest,
)
from kops_assets_provider.oci.ports import Chunks

_NO_MOUNTS = (400, 404, 405)  # what registries answer that were seen to refuse ``?mount=``


class RemoteRepository:
    """
    An image source and target.

    :param repository: the path in it, such as ``kops/kops-controller``.
    """

    def __init__(self, registry: RegistryClient, repository: str) -> None:
        self._base = f"{registry.url}/v2/{repository}"
        self._repository = repository
        self._side = registry.side
        rights = "pull,push" if registry.side is Side.TARGET else "pull"
        scope = f"repository:{repository}:{rights}"
        self._request = partial(registry.request, scope=scope)
        self._forget = partial(registry.forget, scope)

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
    def open_blob(self, blob: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a blob. Registries redirect to their storage; no credentials go there."""
        with self._request("GET", f"{self._base}/blobs/{blob.digest}") as response:
            yield response.stream()

    def push_blob(self, blob: Descriptor, open_blob: Callable[[], Chunks]) -> bool:
        """Upload a blob in one PUT unless the repository has it."""
        session = self._start_upload(blob)
        if session is None:
            return False
        try:
            with open_blob() as chunks:
                self._upload(session, blob, chunks)
        except BaseException:
            self._cancel(session)
            raise
        return True

    def push_manifest(self, reference: str, manifest: Manifest) -> None:
        """
        Put a manifest's very bytes.

        :raises ChecksumMismatchError: the registry says that it stored something else.
        """
        url = self._manifest(reference)
        headers = {"Content-Type": manifest.media_type}
        with self._request("PUT", url, headers=headers, body=manifest.raw) as response:
            stored = response.headers.get("Docker-Content-Digest")
        # A registry answers with a digest of its own algorithm: only equal ones can be compared.
        if stored and stored.startswith("sha256:") and stored != Digest.of(manifest.raw):
            message = f"{place('PUT', url)} stored {stored[:80]!r} instead of {manifest.digest}"
            raise ChecksumMismatchError(message, side=self._side)

    def _manifest(self, reference: str) -> str:
        return f"{self._base}/manifests/{quote(reference, safe=':')}"

    def _start_upload(self, blob: Descriptor) -> str | None:
        """Return the upload session's URL; None if the repository has the blob."""
        uploads = f"{self._base}/blobs/uploads/"
        query = urlencode({"mount": blob.digest, "from": self._repository})
        headers = {"Content-Length": "0"}
        url = f"{uploads}?{query}"
        with self._request("POST", url, headers=headers, accept=_NO_MOUNTS) as response:
            if response.status == 201:
                return None
            if response.status not in _NO_MOUNTS:
                return self._session(url, response.headers.get("Location"))
        # The spec wants a session also from a registry that cannot mount; some refuse instead.
        with self._request("POST", uploads, headers=headers) as response:
            return self._session(uploads, response.headers.get("Location"))

    def _session(self, url: str, location: str | None) -> str:
        """Return the upload session's URL, refusing one that leads astray."""
        try:
            if not location:
                raise ValueError("nowhere: it sent no Location")  # noqa: TRY301
            return lead(url, location)
        except ValueError as err:
            message = f"{place('POST', url)} wants the upload at {err}"
            raise UntrustedServerError(message, side=self._side) from err

    def _upload(self, session: str, blob: Descriptor, chunks: Iterator[bytes]) -> None:
        separator = "&" if urlsplit(session).query else "?"
        url = f"{session}{separator}{urlencode({'digest': blob.digest})}"
        headers = {"Content-Length": str(blob.size), "Content-Type": "application/octet-stream"}
        with self._request("PUT", url, headers=headers, body=chunks, accept=(401,)) as response:
            if response.status == 401:
                # It let us open the session a moment ago: a token ended, or the registry restarted.
                self._forget()
                message = f"{place('PUT', url)} answered 401 to an upload that it had let us begin"
                raise ServerFailedError(message, side=self._side)

    @contextmanager
    def _told(self, method: str, url: str) -> Iterator[None]:
        """Say where a manifest that breaks the rules came from."""
        try:
            yield
        except InvalidManifestError as err:
            raise InvalidManifestError(f"{place(method, url)}: {err}", side=self._side) from err

    def _cancel(self, session: str) -> None:
        # The registry forgets the session by itself some day; asking is a courtesy, not a duty.
        with suppress(KopsAssetsError), self._request("DELETE", session):
            pass
