"""A state store in S3, or in a server that speaks as S3 does."""

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
from kops_assets_provider.files.paths import check_path
from kops_assets_provider.mirror.state.ports import MAX_BYTES

_NO_BUCKET = "the bucket does not exist"
_BUSY = {"SlowDown", "TooManyRequests", "RequestLimitExceeded"}


class S3StateStore:
    """
    A ``StateStore``: the objects of a bucket that begin with a prefix.

    :param client: a boto3 client for S3. Nothing is streamed, so its own requests will do.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self.place = f"s3://{bucket}/{prefix}".rstrip("/")

    def read(self, path: str) -> bytes | None:
        """Read an object: one GET."""
        with s3_told(f"{self.place}/{path}", "s3:GetObject"):
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(path))
            except self._client.exceptions.NoSuchKey:
                return None
            data: bytes = found["Body"].read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InvalidInputError(
                f"{self.place}/{path}", [f"it is longer than {MAX_BYTES} bytes"]
            )
        return data

    def list(self, folder: str = "") -> list[str]:
        """Return the names right below a folder: one GET for each thousand of them."""
        prefix = self._key(folder) + "/" if folder else self._prefix
        names: set[str] = set()
        with s3_told(f"{self.place}/{folder}", "s3:ListBucket"):
            # With the delimiter S3 tells the folders' names alone, not what is in them.
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                names |= {x["Key"] for x in page.get("Contents", ())}
                names |= {x["Prefix"] for x in page.get("CommonPrefixes", ())}
        return sorted(x.removeprefix(prefix) for x in names - {prefix})

    def _key(self, path: str) -> str:
        return self._prefix + check_path(path)


@contextmanager
def s3_told(place: str, needs: str) -> Iterator[None]:
    """Tell what boto3 raises as one of our errors; ``needs`` is the right that it takes."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as err:
        raise _answered(place, needs, err.response) from err
    except BotoCoreError as err:
        raise _unanswered(place, err) from err


def _answered(place: str, needs: str, response: Any) -> KopsAssetsError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = f"{place}: S3 answered {status} {code}".rstrip()
    if code in _BUSY or status == 429 or "Throttl" in code:
        return RateLimitedError(message)
    if status >= 500:
        return ServerFailedError(message)
    if code == "NoSuchBucket":
        return NotFoundError(f"{message}: {_NO_BUCKET}")
    if status in (401, 403):
        return AccessDeniedError(f"{message}; the AWS credentials need {needs}")
    return RequestRejectedError(message)


def _unanswered(place: str, err: Exception) -> KopsAssetsError:
    from botocore import exceptions as boto

    # boto3's own words are left out where they may quote what a credential helper said.
    what = f"{place}: {type(err).__name__}"
    if isinstance(err, boto.ConnectionError | boto.HTTPClientError | boto.ReadTimeoutError):
        return ConnectionFailedError(f"{what}: S3 cannot be reached")
    if isinstance(err, boto.ParamValidationError):
        return InvalidInputError(place, ["it is no name of a bucket or object"])
    return AccessDeniedError(f"{what}: no usable AWS credentials")
