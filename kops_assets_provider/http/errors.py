"""A status or a broken connection, told as one of our errors."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    ConnectionFailedError,
    KopsAssetsError,
    NotFoundError,
    PermanentError,
    RateLimitedError,
    RequestRejectedError,
    ServerFailedError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.rate_limits import retry_after
from kops_assets_provider.http.urls import printable, redact
from kops_assets_provider.redaction import clean

_PERMANENT: dict[int, type[PermanentError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    410: NotFoundError,
}
# 202: the server is not done yet; 206: a cache sent a part that nobody asked for.
_TRANSIENT = {202, 206, 408, 425}
_MAX_REASON = 200  # characters of a server's own words in our messages
_MAX_READ = 4000  # characters of them that are looked at
_CODE = re.compile(rb"<Code>([^<]{1,200})</Code>")


def place(method: str, url: str) -> str:
    """Return ``host: METHOD /path`` for messages: no user info, no query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{redact(url)}: {method}"
    return printable(f"{parts.netloc.rpartition('@')[2]}: {method} {parts.path or '/'}")


def is_success(method: str, status: int, headers: Mapping[str, str]) -> bool:
    """Report whether a status says that the server did what a request with these headers asks."""
    # 203 to 206 are successes too, but their bodies are not what GET asks for: the whole file.
    if method in ("GET", "HEAD"):
        return status == 200 or (status == 206 and "Range" in headers)
    return 200 <= status < 300


def status_error(
    method: str,
    url: str,
    status: int,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    side: Side | None = None,
    hint: str = "",
    sent: Iterable[str] = (),
) -> KopsAssetsError:
    """
    Return the error for a response whose ``status`` is not the one hoped for.

    :param sent: secrets that the server got, and may have quoted.
    """
    reason = _reason(body, sent)
    where = clean(place(method, url), sent)
    message = f"{where} answered {status}{reason and ' ' + reason}"
    message += f"; {hint}" if hint and status in (401, 403) else ""
    if status == 429:
        return RateLimitedError(message, side=side, retry_after=retry_after(headers))
    if status >= 500 or status in _TRANSIENT:
        return ServerFailedError(message, side=side, retry_after=retry_after(headers))
    return _PERMANENT.get(status, RequestRejectedError)(message, side=side)


def connection_error(
    method: str,
    url: str,
    cause: BaseException,
    side: Side | None,
    sent: Iterable[str] = (),
) -> KopsAssetsError:
    """Return the error for a connection that could not be made or did not last."""
    root, where = root_cause(cause), clean(place(method, url), sent)
    if isinstance(root, ssl.SSLCertVerificationError):
        advice = (
            "name its authority's file: ca_file (S3: verify) in its connection, or SSL_CERT_FILE"
        )
        message = f"{where}: its certificate is not trusted: {root.verify_message}"
        return UntrustedServerError(f"{message}; {advice}", side=side)
    last = root.args[-1] if root.args else ""
    text = last if isinstance(last, str) else str(root)
    # urllib3's own messages quote the whole URL, pre-signed queries and all.
    told = type(root).__name__ if "?" in text or "<" in text else text or type(root).__name__
    # A line that is no HTTP is quoted by http.client, however long and whatever is in it.
    told = _in_short(told, sent)
    return ConnectionFailedError(f"{where} failed: {told}", side=side)


def root_cause(error: BaseException) -> BaseException:
    """Return the innermost error: urllib3 wraps a refused connection three times over."""
    while inner := _wrapped(error):
        error = inner
    return error


def _wrapped(error: BaseException) -> BaseException | None:
    last = error.args[-1] if error.args else None
    for inner in (getattr(error, "reason", None), error.__cause__, last):
        if isinstance(inner, BaseException) and inner is not error:
            return inner
    return None


def _reason(body: bytes, sent: Iterable[str]) -> str:
    """Pick the error code out of an OCI error body, or the Code out of an S3 one."""
    try:
        first = json.loads(body)["errors"][0]
        text = f"{first.get('code', '')} {first.get('message', '')}"
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        found = _CODE.search(body)
        text = found[1].decode("ascii", "replace") if found else ""
    return _in_short(text, sent)


def _in_short(words: str, sent: Iterable[str]) -> str:
    """Return a server's words in one line, cut after their secrets are hidden."""
    if len(words) > _MAX_READ:
        # The last word may be half a secret, which nobody could recognise.
        words = words[:_MAX_READ].rpartition(" ")[0]
    return " ".join(clean(words, sent).split())[:_MAX_REASON]
