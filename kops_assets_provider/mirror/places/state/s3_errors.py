"""What boto3 raises, told as one of our errors."""

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
from kops_assets_provider.http.urls import redact

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; servers that speak as S3 does
# send them with other statuses than S3, so the code goes before the status.
_BUSY = {"BandwidthLimitExceeded", "RequestLimitExceeded", "SlowDown", "TooManyRequests"}
_FAILED = {"InternalError", "InternalFailure", "RequestTimeout", "ServiceUnavailable"}
_REFUSED: dict[str, tuple[type[KopsAssetsError], str]] = {
    "NoSuchBucket": (NotFoundError, "the bucket does not exist"),
    "RequestTimeTooSkewed": (
        AccessDeniedError,
        "this machine's clock differs from S3's by more than 15 minutes: set it",
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "InvalidToken"),
        (AccessDeniedError, "the AWS session has ended or is none: get new credentials"),
    ),
}
_ENDPOINT = (
    "the endpoint is no URL, expected http://HOST or https://HOST: see AWS_ENDPOINT_URL_S3, "
    "AWS_ENDPOINT_URL, and endpoint_url of the profile or the connection"
)


@contextmanager
def s3_told(place: str, needs: str) -> Iterator[None]:
    """Tell what boto3 raises as one of our errors; ``needs`` is the right that it takes."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    place = redact(place)
    try:
        yield
    except ClientError as err:
        raise _answered(place, needs, err.response) from err
    except (BotoCoreError, ResponseParserError) as err:
        raise _unanswered(place, err) or _unusable(place, err) from err
    except KopsAssetsError:
        raise
    # What botocore lets out for numbers, dates and names that are none.
    except (LookupError, RuntimeError, TypeError, ValueError) as err:
        message = f"{place}: S3 sent a malformed answer: {type(err).__name__}"
        raise ServerFailedError(message) from err


@contextmanager
def s3_client_told() -> Iterator[None]:
    """Tell what boto3 raises while a client is made, which for wrong settings is a ValueError."""
    from botocore.exceptions import BotoCoreError

    with s3_told("S3", "credentials"):
        try:
            yield
        except (BotoCoreError, KopsAssetsError):
            raise
        except ValueError as err:
            known = str(err).startswith(("Invalid endpoint", "Invalid IPv6 URL"))
            other = "an AWS_… variable, or a setting of the profile, has a value that boto3 refuses"
            # Without its cause: boto3 quotes the endpoint, with the user info that may be in it.
            raise InvalidInputError("S3", [_ENDPOINT if known else other]) from None


def _answered(place: str, needs: str, response: Any) -> KopsAssetsError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = f"{place}: S3 answered {status} {code}".rstrip()
    if code in _BUSY or status == 429 or "Throttl" in code:
        return RateLimitedError(message)
    if code in _FAILED or status >= 500:
        return ServerFailedError(message)
    if code in _REFUSED:
        kind, hint = _REFUSED[code]
        return kind(f"{message}: {hint}")
    if status in (401, 403):
        return AccessDeniedError(f"{message}; the AWS credentials need {needs}")
    return RequestRejectedError(message)


def _unanswered(place: str, err: Exception) -> ConnectionFailedError | None:
    """Return the error for what may pass; None if it will not."""
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError

    what = f"{place}: {type(err).__name__}"
    damaged = boto.FlexibleChecksumError | boto.IncompleteReadError | boto.ResponseStreamingError
    if isinstance(err, damaged | ResponseParserError):
        return ConnectionFailedError(f"{what}: S3's answer came damaged or incomplete; try again")
    # The provider of a container's credentials makes another error of it.
    if any(isinstance(x, boto.MetadataRetrievalError) for x in (err, err.__context__)):
        hint = "the metadata service, which has this machine's credentials, cannot be asked"
        return ConnectionFailedError(f"{what}: {hint}")
    if isinstance(err, boto.ConnectionError | boto.HTTPClientError | boto.ReadTimeoutError):
        return ConnectionFailedError(f"{what}: S3 cannot be reached")
    return None


def _unusable(place: str, err: Any) -> KopsAssetsError:
    """Return the error for settings and credentials that somebody has to change."""
    from botocore import exceptions as boto

    # boto3's own words are left out where they may quote what a credential helper said.
    what = f"{place}: {type(err).__name__}"
    if problem := _setting_problem(err):
        return InvalidInputError(place, [problem])
    if isinstance(err, boto.PartialCredentialsError):
        missing = err.kwargs.get("cred_var", "one of them")
        return AccessDeniedError(f"{what}: half a pair of AWS credentials: {missing} is not set")
    return AccessDeniedError(f"{what}: no usable AWS credentials")


def _setting_problem(err: Any) -> str | None:
    from botocore import exceptions as boto

    profile, file = (repr(err.kwargs.get(x, "")) for x in ("profile", "path"))
    problems: dict[type[Exception], str] = {
        boto.ParamValidationError: "it is no name of a bucket or object",
        boto.NoRegionError: "no region: set region_name on the connection, or AWS_DEFAULT_REGION",
        boto.InvalidRegionError: "its region is no name of one: see AWS_DEFAULT_REGION",
        boto.ProfileNotFound: f"there is no AWS profile {profile}: see AWS_PROFILE",
        boto.ConfigParseError: f"the AWS configuration file {file} cannot be parsed",
        boto.EndpointProviderError: _ENDPOINT,
    }
    return next((text for kind, text in problems.items() if isinstance(err, kind)), None)
