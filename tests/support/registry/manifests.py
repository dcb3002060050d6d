"""The endpoints for manifests and tags."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.support.content import content_response
from tests.support.messages import Request, Response
from tests.support.registry.errors import RegistryError, json_response
from tests.support.registry.quirks import Quirks
from tests.support.registry.storage import (
    RegistryStorage,
    StoredManifest,
    check_digest,
    digest_of,
)

MAX_MANIFEST_BYTES = 4 * 1024 * 1024
"""The spec asks registries to take that much; docker-registry takes no more."""

_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$")
_FOREIGN = re.compile(r"\.(nondistributable|foreign)\.")


class ManifestEndpoints:
    """Pull, push and delete manifests, list tags."""

    def __init__(self, storage: RegistryStorage, quirks: Quirks) -> None:
        self._storage = storage
        self._quirks = quirks

    def pull(self, request: Request, name: str, reference: str) -> Response:
        """Answer GET and HEAD; 404 for a media type that the client does not accept."""
        manifest = self._find(name, reference)
        accepted = ",".join(request.headers.get_all("Accept", []))
        if manifest.media_type not in accepted and "*/*" not in accepted:
            message = f"{manifest.media_type} found, but the Accept header does not name it"
            raise RegistryError(404, "MANIFEST_UNKNOWN", message)
        headers = {"Content-Type": manifest.media_type, **self._digest_header(manifest.digest)}
        return content_response(request, manifest.data, f'"{manifest.digest}"', headers)

    def push(self, request: Request, name: str, reference: str) -> Response:
        """Take a manifest whose parts are all there (spec: Pushing Manifests)."""
        tag = _tag_of(reference)
        data = request.body.read()
        if len(data) > MAX_MANIFEST_BYTES:
            raise RegistryError(413, "MANIFEST_INVALID", "the manifest is too large")
        digest = digest_of(data)
        if tag is None and reference != digest:
            raise RegistryError(400, "DIGEST_INVALID", f"expected {reference}, got {digest}")
        media_type = self._checked_media_type(name, data, request.headers.get("Content-Type"))
        if tag and self._quirks.immutable_tags and self._storage.find_tag(name, tag):
            message = f"The image tag '{tag}' already exists and cannot be overwritten"
            raise RegistryError(400, "TAG_INVALID", message)
        self._storage.put_manifest(name, data, media_type, tag)
        location = {"Location": f"/v2/{name}/manifests/{digest}"}
        return Response(201, {**location, **self._digest_header(digest)})

    def delete(self, request: Request, name: str, reference: str) -> Response:
        """Delete a tag, or a manifest with its tags (spec: Deleting tags, Deleting Manifests)."""
        manifest = self._find(name, reference)
        if _tag_of(reference):
            self._storage.delete_tag(name, reference)
        else:
            self._storage.delete_manifest(name, manifest.digest)
        return Response(202)

    def list_tags(self, request: Request, name: str) -> Response:
        """Answer with all tags, or ``n`` of them after ``last`` (spec: Listing Tags)."""
        if not self._storage.has_repository(name):
            raise RegistryError(404, "NAME_UNKNOWN", f"repository {name} not known to registry")
        tags = [t for t in self._storage.tags(name) if t > request.params.get("last", "")]
        page = tags[: int(request.params.get("n", len(tags)))]
        headers = {}
        if page and len(page) < len(tags):
            target = f"/v2/{name}/tags/list?n={len(page)}&last={page[-1]}"
            headers = {"Link": f'<{target}>; rel="next"'}
        return json_response({"name": name, "tags": page}, headers=headers)

    def list_repositories(self, request: Request) -> Response:
        """Answer as docker-registry does; the spec has no such list."""
        return json_response({"repositories": self._storage.repositories()})

    def _find(self, name: str, reference: str) -> StoredManifest:
        _tag_of(reference)
        manifest = self._storage.find_manifest(name, reference)
        if manifest is None:
            raise RegistryError(404, "MANIFEST_UNKNOWN", f"manifest unknown: {name} {reference}")
        return manifest

    def _digest_header(self, digest: str) -> dict[str, str]:
        return {} if self._quirks.omit_digest_header else {"Docker-Content-Digest": digest}

    def _checked_media_type(self, name: str, data: bytes, content_type: str | None) -> str:
        """Return the media type, or refuse a manifest that is wrong or has parts missing."""
        try:
            manifest = json.loads(data)
            media_type = str(manifest.get("mediaType") or content_type)
            missing = [d for d in _needed_digests(manifest) if not self._has(name, d)]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(400, "MANIFEST_INVALID", f"no manifest: {error!r}") from error
        if media_type != content_type:
            message = f"mediaType is {media_type}, but Content-Type is {content_type}"
            raise RegistryError(400, "MANIFEST_INVALID", message)
        if missing:
            raise RegistryError(400, "MANIFEST_BLOB_UNKNOWN", f"unknown: {', '.join(missing)}")
        return media_type

    def _has(self, name: str, digest: str) -> bool:
        check_digest(digest)
        is_manifest = self._storage.find_manifest(name, digest) is not None
        return is_manifest or self._storage.has_blob(name, digest)


def _needed_digests(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield what must have been pushed before: an index's manifests, a manifest's blobs."""
    if "manifests" in manifest:
        parts = manifest["manifests"]
    else:
        parts = [manifest["config"], *manifest["layers"]]
    for part in parts:
        if not _FOREIGN.search(part["mediaType"]):
            yield part["digest"]


def _tag_of(reference: str) -> str | None:
    """Return the reference if it is a tag, None if it is a digest, and refuse all else."""
    if ":" in reference:
        check_digest(reference)
        return None
    if not _TAG.match(reference):
        raise RegistryError(400, "TAG_INVALID", f"no tag: {reference}")
    return reference
