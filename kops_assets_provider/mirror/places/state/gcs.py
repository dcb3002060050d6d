"""A state store in Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
)
from kops_assets_provider.files.gcs import MALFORMED
from kops_assets_provider.files.store_paths import check_path
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.places.state.ports import MAX_BYTES, first_pages

_TIMEOUT = 60  # seconds of silence
_TO_READ = (
    "storage.objects.get, or there is no such object: whoever has not storage.objects.list is told "
    "the same"
)


class GCSStateStore:
    """
    A ``StateStore``: the objects of a bucket that begin with a prefix.

    :param client: a ``google.cloud.storage.Client``.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        from kops_assets_provider.files.gcs_limits import limit_requests

        limit_requests(client)
        self._client = client
        self._bucket = client.bucket(bucket)
        self._prefix = f"{prefix}/" if prefix else ""
        self.place = redact(f"gs://{bucket}/{prefix}".rstrip("/"))

    def read(self, path: str) -> bytes | None:
        """Read an object: one GET."""
        from google.api_core.exceptions import NotFound, RequestRangeNotSatisfiable

        blob = self._bucket.blob(self._prefix + check_path(path))
        with gcs_told(f"{self.place}/{path}", _TO_READ):
            try:
                data: bytes = blob.download_as_bytes(
                    end=MAX_BYTES, raw_download=True, timeout=_TIMEOUT
                )
            except NotFound:
                return None
            except RequestRangeNotSatisfiable:
                # The limit makes a range of it, and an empty object has no range at all.
                return b""
        if len(data) > MAX_BYTES:
            where = redact(f"{self.place}/{path}")
            raise InvalidInputError(where, [f"it is longer than {MAX_BYTES} bytes"])
        return data

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a folder."""
        prefix = f"{self._prefix}{check_path(folder)}/" if folder else self._prefix
        with gcs_told(f"{self.place}/{folder}", "storage.objects.list"):
            # With the delimiter Google tells the folders' names alone, not what is in them.
            found = self._client.list_blobs(
                self._bucket, prefix=prefix, delimiter="/", timeout=_TIMEOUT
            )
            pages = first_pages(found.pages, self.place)
            names = {x.name for page in pages for x in page} | set(found.prefixes)
        return sorted(x.removeprefix(prefix) for x in names - {prefix})


@contextmanager
def gcs_told(place: str, needs: str) -> Iterator[None]:
    """Tell what Google's client raises as one of our errors; ``needs`` is the right it takes."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.resumable_media import DataCorruption, InvalidResponse
    from urllib3.exceptions import HTTPError

    place = redact(place)
    try:
        yield
    except GoogleAPICallError as err:
        raise _answered(place, needs, int(err.code or 500)) from err
    except (requests.RequestException, TransportError, RetryError, HTTPError) as err:
        message = f"{place}: {type(err).__name__}: Google Cloud Storage cannot be reached"
        raise ConnectionFailedError(message) from err
    except GoogleAuthError as err:
        message = f"{place}: {type(err).__name__}: no usable Google credentials"
        raise AccessDeniedError(message) from err
    except KopsAssetsError:
        raise
    except (*MALFORMED, DataCorruption, InvalidResponse) as err:
        message = f"{place}: Google Cloud Storage sent a malformed answer: {type(err).__name__}"
        raise ServerFailedError(message) from err


def _answered(place: str, needs: str, status: int) -> KopsAssetsError:
    message = f"{place}: Google Cloud Storage answered {status}"
    if status == 429:
        return RateLimitedError(message)
    if status >= 500:
        return ServerFailedError(message)
    if status == 404:
        return NotFoundError(f"{message}: the bucket does not exist")
    if status in (401, 403):
        return AccessDeniedError(f"{message}; the Google credentials need {needs}")
    return RequestRejectedError(message)
