"""
Files in Google Cloud Storage.

It can check MD5 and CRC32C, but not SHA-256. So a file is written by a resumable session: the
object appears when the session has got all of its bytes, and the last of them are sent only once
the hash is known to be right. If it is not, the session is cancelled. The hash is kept in the
object's metadata, set by that same session, and a listing is enough to see it.

The session is opened by ``Blob.create_resumable_upload_session``, the one public way that leaves
the bytes to us.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
from kops_assets_provider.files.gcs_session import UploadSession
from kops_assets_provider.files.listing import Page, find_in_pages
from kops_assets_provider.files.ports import StoredFile
from kops_assets_provider.files.store_paths import check_path, media_type
from kops_assets_provider.files.verify import check_other_writer
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.errors import status_error
from kops_assets_provider.http.pools import CHUNK_SIZE
from kops_assets_provider.http.traffic import count
from kops_assets_provider.redaction import remember_headers

SHA_KEY = "kops-assets-sha256"  # of the object's metadata
_READ_SIZE = 8 << 20  # bytes of each range that is read back
_TIMEOUT = 60  # seconds of silence
_PAGE = 1000  # objects; Google's own limit
_TO_WRITE = "storage.objects.create, and storage.objects.delete to replace what is there"
_LISTED = "items(name,size,generation,md5Hash,crc32c,metadata),nextPageToken"
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
# What Google's client raises for an answer that is not what its documentation says.
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class GCSOptions:
    """
    How objects are stored, in Google's own words; what is None is left to the bucket's settings.

    :param kms_key: ``projects/P/locations/L/keyRings/R/cryptoKeys/K``.
    :param predefined_acl: such as ``bucketOwnerFullControl``; not for buckets with uniform access.
    :param user_project: that pays for requests to a bucket whose requesters pay.
    """

    kms_key: str | None = None
    predefined_acl: str | None = None
    user_project: str | None = None


class GCSStore:
    """
    A ``FileStore``: a bucket.

    :param client: a ``google.cloud.storage.Client``; its credentials open sessions and read.
    :param http: sends the files' bytes; its limits, authorities and proxies apply.
    """

    lists_all = True
    copy_requests = 6

    def __init__(
        self, client: Any, http: HttpClient, bucket: str, options: GCSOptions | None = None
    ) -> None:
        self._options = options or GCSOptions()
        self._client = client
        self._bucket = client.bucket(bucket, user_project=self._options.user_project)
        self._endpoint = str(client.api_endpoint)
        self._http = http
        from kops_assets_provider.files.gcs_limits import limit_requests

        limit_requests(client)
        # Google's client has no public way to be told of its requests.
        hooks = client._http.hooks["response"]
        if _count not in hooks:
            hooks.append(_count)

    def stat(self, path: str) -> StoredFile | None:
        """Look at the object: one GET of its description."""
        with self._told(path, "storage.objects.get"):
            blob = self._bucket.get_blob(check_path(path), timeout=_TIMEOUT, retry=None)
            return None if blob is None else _stored(blob)

    def list(self, paths: Collection[str]) -> dict[str, StoredFile]:
        """Look at many objects: one GET for a thousand of them, if they lie close together."""
        return find_in_pages({check_path(x) for x in paths}, self._page)

    def _page(self, prefix: str, start: str) -> Page:
        with self._told(f"{prefix}*", "storage.objects.list"):
            blobs = self._client.list_blobs(
                self._bucket,
                prefix=prefix,
                start_offset=start,
                max_results=_PAGE,
                fields=_LISTED,
                timeout=_TIMEOUT,
                retry=None,
            )
            found = {blob.name: _stored(blob) for blob in next(blobs.pages, ())}
        return found, blobs.next_page_token is None

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
        session = self._open_session(check_path(path), content, new)
        if session is None or not session.send(content):
            check_other_writer(self, path, self._place(path), content.sha)

    def _open_session(self, path: str, content: Content, new: bool) -> UploadSession | None:
        """Open a session; return None if something is there although it must not."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self._bucket.blob(path, kms_key_name=self._options.kms_key)
        blob.metadata = {SHA_KEY: content.sha}
        with self._told(path, _TO_WRITE), suppress(PreconditionFailed):
            url = blob.create_resumable_upload_session(
                content_type=media_type(path),
                size=content.size,
                if_generation_match=0 if new else None,
                predefined_acl=self._options.predefined_acl,
                checksum=None,
                timeout=_TIMEOUT,
                retry=None,
            )
            return UploadSession(self._http, str(url), self._endpoint, self._place(path))
        return None

    @contextmanager
    def _told(self, path: str, needs: str) -> Iterator[None]:
        """Tell what Google's client raises as one of our errors."""
        import requests
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.resumable_media import DataCorruption, InvalidResponse
        from urllib3.exceptions import HTTPError

        place = self._place(path)
        try:
            yield
        except GoogleAPICallError as err:
            raise _call_error(place, err, needs) from err
        except (requests.RequestException, TransportError, HTTPError) as err:
            # The last is what a raw download raises when its body breaks off.
            message = f"{place}: connection failed: {type(err).__name__}"
            raise ConnectionFailedError(message, side=Side.TARGET) from err
        except GoogleAuthError as err:
            message = f"{place}: no credentials: {type(err).__name__}; check the Google connection"
            raise AccessDeniedError(message, side=Side.TARGET) from err
        except KopsAssetsError:
            raise
        except (*MALFORMED, DataCorruption, InvalidResponse) as err:
            message = f"{place}: Google Cloud Storage sent a malformed answer"
            raise ServerFailedError(f"{message}: {type(err).__name__}", side=Side.TARGET) from err

    def _place(self, path: str) -> str:
        return f"gs://{self._bucket.name}/{path}"


def _stored(blob: Any) -> StoredFile:
    """Return what Google says of an object. An object that was composed of others has no MD5."""
    sha = (blob.metadata or {}).get(SHA_KEY, "")
    md5 = base64.b64decode(blob.md5_hash).hex() if blob.md5_hash else None
    version = md5 or f"{blob.generation}/{blob.crc32c}"
    return StoredFile(size=blob.size, sha=sha if _SHA256.fullmatch(sha) else None, version=version)


def _count(response: Any, *_: Any, **__: Any) -> None:
    count(response.request.method)
    # Whoever quotes the token later may do so in an answer to our own client.
    remember_headers(response.request.headers)


def _call_error(place: str, err: Any, needs: str) -> KopsAssetsError:
    if err.code == 404:
        message = f"{place}: not found; the bucket must exist"
        return NotFoundError(message, side=Side.TARGET)
    hint = f"{place}: the Google credentials need {needs}"
    request = err.response.request
    return status_error(
        request.method,
        request.url,
        int(err.code or 500),
        headers=err.response.headers,
        side=Side.TARGET,
        hint=hint,
    )
