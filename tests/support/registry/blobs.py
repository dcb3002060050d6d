"""The endpoints for blobs and their uploads."""

from __future__ import annotations

import re

from tests.support.content import content_response
from tests.support.messages import Request, Response
from tests.support.registry.errors import RegistryError
from tests.support.registry.quirks import Quirks
from tests.support.registry.storage import RegistryStorage, Upload, check_digest

_RANGE_START = re.compile(r"(?:bytes )?(\d+)-")


class BlobEndpoints:
    """Pull, mount, upload and delete blobs."""

    def __init__(self, storage: RegistryStorage, quirks: Quirks) -> None:
        self._storage = storage
        self._quirks = quirks

    def pull(self, request: Request, name: str, digest: str) -> Response:
        """Answer GET and HEAD, with ranges (spec: Pulling blobs)."""
        self._need(name, digest)
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        if self._quirks.ignore_ranges:
            del request.headers["Range"]
        return content_response(request, self._storage.blob_path(digest), f'"{digest}"', headers)

    def delete(self, request: Request, name: str, digest: str) -> Response:
        """Take the blob out of the repository (spec: Deleting Blobs)."""
        self._need(name, digest)
        self._storage.delete_blob(name, digest)
        return Response(202)

    def start_upload(self, request: Request, name: str) -> Response:
        """Mount the blob if possible, otherwise begin an upload (spec: Mounting a blob)."""
        digest, source = request.params.get("mount"), request.params.get("from")
        if digest and source and self._mounts(source, digest):
            self._storage.create_repository(name)
            self._storage.link_blob(name, digest)
            return _created(name, digest)
        if digest and self._quirks.claim_mounts:
            return _created(name, digest)
        return _upload_response(202, self._storage.start_upload(name))

    def upload_status(self, request: Request, name: str, upload_id: str) -> Response:
        """Tell how much of an upload has arrived."""
        return _upload_response(204, self._find(request, name, upload_id))

    def patch_upload(self, request: Request, name: str, upload_id: str) -> Response:
        """Append a chunk (spec: Pushing a blob in chunks)."""
        upload = self._find(request, name, upload_id)
        with upload.lock:
            if self._quirks.patch_overwrites:
                upload.restart()
            self._receive(request, upload)
        return _upload_response(self._quirks.patch_status, upload)

    def finish_upload(self, request: Request, name: str, upload_id: str) -> Response:
        """Take the last bytes and check the digest (spec: Pushing a blob monolithically)."""
        upload = self._find(request, name, upload_id)
        digest = request.params.get("digest", "")
        check_digest(digest)
        with upload.lock:
            self._receive(request, upload)
            if upload.digest != digest:
                self._storage.cancel_upload(upload)
                message = f"expected {digest}, got {upload.digest}"
                raise RegistryError(400, "DIGEST_INVALID", message)
            self._storage.finish_upload(upload)
        return _created(name, digest)

    def cancel_upload(self, request: Request, name: str, upload_id: str) -> Response:
        """Throw an upload away."""
        self._storage.cancel_upload(self._find(request, name, upload_id))
        return Response(204)

    def _need(self, name: str, digest: str) -> None:
        check_digest(digest)
        if not self._storage.has_blob(name, digest):
            raise RegistryError(404, "BLOB_UNKNOWN", f"blob unknown to registry: {digest}")

    def _mounts(self, source: str, digest: str) -> bool:
        check_digest(digest)
        if self._quirks.refuse_mounts or not self._storage.has_blob(source, digest):
            return False
        manifests = self._storage.manifests(source) if self._quirks.mount_needs_manifest else []
        named = any(digest.encode() in manifest.data for manifest in manifests)
        return named or not self._quirks.mount_needs_manifest

    def _receive(self, request: Request, upload: Upload) -> None:
        """Append the body. What has arrived stays if the client goes away: it may come back."""
        start = _RANGE_START.match(request.headers.get("Content-Range", ""))
        if start and int(start[1]) != upload.size:
            headers = _upload_response(416, upload).headers
            raise RegistryError(416, "BLOB_UPLOAD_INVALID", "not the next chunk", headers)
        limit = self._quirks.max_body_bytes
        if limit is not None and int(request.headers.get("Content-Length", 0)) > limit:
            raise RegistryError(413, "SIZE_INVALID", f"more than {limit} bytes in one request")
        for chunk in request.body:
            upload.write(chunk)

    def _find(self, request: Request, name: str, upload_id: str) -> Upload:
        upload = self._storage.find_upload(name, upload_id)
        # A client must send back the query of the Location, whatever is in it.
        if upload is None or request.params.get("_state") != upload_id:
            raise RegistryError(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
        return upload


def _upload_response(status: int, upload: Upload) -> Response:
    location = f"/v2/{upload.repository}/blobs/uploads/{upload.id}?_state={upload.id}"
    return Response(
        status,
        {
            "Location": location,
            "Range": f"0-{max(upload.size - 1, 0)}",
            "Docker-Upload-UUID": upload.id,
        },
    )


def _created(name: str, digest: str) -> Response:
    return Response(
        201, {"Location": f"/v2/{name}/blobs/{digest}", "Docker-Content-Digest": digest}
    )
