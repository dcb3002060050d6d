"""
Files in Google Cloud Storage.

It can check MD5 and CRC32C, but not SHA-256. So a file is written by a resumable session in one
PUT: the object appears when the session has got all of its bytes, and the last of them are sent
only once the hash is known to be right. If it is not, the session is cancelled. The hash is kept in
the object's metadata, set by that same session, and a later look at the object is enough.
https://docs.cloud.google.com/storage/docs/performing-resumable-uploads

The session is opened by ``Blob.create_resumable_upload_session``, the one public way that leaves
the bytes to us; the session's URL carries its own right to write, so our own client can send them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    KopsAssetsError,
    NotFoundError,
    ServerFailedError,
    Side,
)
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.paths import check_path
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.verify import check_other_writer
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.errors import status_error
from kops_assets_provider.http.pools import CHUNK_SIZE

SHA_KEY = "kops-assets-sha256"  # of the object's metadata
_READ_SIZE = 8 << 20  # bytes of each range that is read back
_TIMEOUT = 60  # seconds of silence
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CANCELLED = {404, 410, 499}  # the last is Google's own word for it


class GCSStore:
    """
    A ``FileStore``: a bucket.

    :param client: a ``google.cloud.storage.Client``; its credentials open sessions and read.
    :param http: sends the files' bytes; its limits, authorities and proxies apply.
    """

    def __init__(self, client: Any, http: HttpClient, bucket: str) -> None:
        self._bucket = client.bucket(bucket)
        self._endpoint = str(client.api_endpoint)
        self._http = http

    def stat(self, path: str) -> StoredFile | None:
        """Look at the object: one GET of its description."""
        with self._told(path, "storage.objects.get"):
            blob = self._bucket.get_blob(check_path(path), timeout=_TIMEOUT, retry=None)
        if blob is None:
            return None
        sha = (blob.metadata or {}).get(SHA_KEY, "")
        return StoredFile(blob.size, sha if _SHA256.fullmatch(sha) else None)

    @contextmanager
    def read(self, path: str) -> Iterator[Iterator[bytes]]:
        """Read the object back, as it was stored."""
        blob = self._bucket.blob(check_path(path))
        with blob.open(
            "rb", chunk_size=_READ_SIZE, raw_download=True, timeout=_TIMEOUT, retry=None
        ) as opened:
            yield self._chunks(path, opened)

    def _chunks(self, path: str, opened: Any) -> Iterator[bytes]:
        chunks = iter(partial(opened.read, CHUNK_SIZE), b"")
        while True:
            with self._told(path, "storage.objects.get"):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    def write(self, path: str, content: Content, *, new: bool = False) -> None:
        """Write an object, by a session of its own."""
        session = self._open_session(path, content, new)
        if session is None or not self._send(session, path, content):
            check_other_writer(self, path, self._place(path), content.sha)

    def _open_session(self, path: str, content: Content, new: bool) -> str | None:
        """Return the session's URL; None if something is there although it must not."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(check_path(path))
        blob.metadata = {SHA_KEY: content.sha}
        with self._told(path, "storage.objects.create"), suppress(PreconditionFailed):
            return str(
                blob.create_resumable_upload_session(
                    content_type="application/octet-stream",
                    size=content.size,
                    if_generation_match=0 if new else None,
                    checksum=None,
                    timeout=_TIMEOUT,
                    retry=None,
                )
            )
        return None

    def _send(self, session: str, path: str, content: Content) -> bool:
        """Send the bytes; return False if another writer was first."""
        last = content.size - 1
        span = f"0-{last}" if content.size else "*"
        headers = {
            "Content-Length": str(content.size),
            "Content-Range": f"bytes {span}/{content.size}",
        }
        try:
            with self._http.request(
                "PUT",
                session,
                side=Side.TARGET,
                headers=headers,
                body=content,
                accept={308, 412},
                led_by=self._endpoint,
            ) as response:
                status = response.status
        except BaseException:
            self._cancel(session)
            raise
        if status == 308:
            self._cancel(session)
            message = f"{self._place(path)}: the session ended without all {content.size} bytes"
            raise ServerFailedError(message, side=Side.TARGET)
        return status != 412

    def _cancel(self, session: str) -> None:
        """Drop what was sent. If that fails as well: nobody sees it, and it is gone in a week."""
        with (
            suppress(KopsAssetsError),
            self._http.request(
                "DELETE", session, side=Side.TARGET, accept=_CANCELLED, led_by=self._endpoint
            ),
        ):
            pass

    @contextmanager
    def _told(self, path: str, needs: str) -> Iterator[None]:
        """Tell what Google's client raises as one of our errors."""
        import requests
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError

        place = self._place(path)
        try:
            yield
        except GoogleAPICallError as err:
            raise _call_error(place, err, needs) from err
        except (requests.RequestException, TransportError) as err:
            message = f"{place}: connection failed: {type(err).__name__}"
            raise ConnectionFailedError(message, side=Side.TARGET) from err
        except GoogleAuthError as err:
            message = f"{place}: no credentials: {type(err).__name__}; check the Google connection"
            raise AccessDeniedError(message, side=Side.TARGET) from err

    def _place(self, path: str) -> str:
        return f"gs://{self._bucket.name}/{path}"


def _call_error(place: str, err: Any, needs: str) -> KopsAssetsError:
    if err.code == 404:
        message = f"{place}: not found; the bucket must exist"
        return NotFoundError(message, side=Side.TARGET)
    hint = f"{place}: the Google connection needs {needs}"
    request = err.response.request
    return status_error(
        request.method,
        request.url,
        int(err.code or 500),
        headers=err.response.headers,
        side=Side.TARGET,
        hint=hint,
    )
