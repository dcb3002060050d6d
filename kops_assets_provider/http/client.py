"""
Requests, redirects and streams over urllib3, with the limits that a mirror needs.

- A credential is bound to its origin: a redirect to another scheme, host or port loses
  ``Authorization`` and ``Cookie``; one from https to http, or to a link-local address, is refused.
- No body is ever decompressed: what is hashed is what was sent (``Accept-Encoding: identity``).
- Limits are on silence, not on length: a connection that says nothing for ``stall_seconds`` fails,
  however large the body. Nothing is retried here, since a streamed body cannot be sent twice.
"""

from __future__ import annotations

import ssl
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import HTTPError

from kops_assets_provider import __version__
from kops_assets_provider.exceptions import InvalidInputError, Side, UntrustedServerError
from kops_assets_provider.http.errors import connection_error, place, status_error
from kops_assets_provider.http.urls import is_forbidden, is_loopback, origin

CHUNK_SIZE = 1 << 20  # bytes; 256 KiB to 1 MiB costs the least CPU per byte
SMALL_BODY = 64 << 10  # bytes; limit of an error's or a token's body
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_BOUND_TO_ORIGIN = {"authorization", "cookie"}


class Response:
    """A response whose status was expected. Its body is read by ``read`` or ``stream``, once."""

    def __init__(
        self, raw: urllib3.BaseHTTPResponse, method: str, url: str, side: Side | None
    ) -> None:
        self._raw = raw
        self._method = method
        self._side = side
        self.url = url
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers

    @property
    def length(self) -> int | None:
        """Number of bytes that the body is said to have; None if the server does not say."""
        value = self.headers.get("Content-Length", "")
        return int(value) if value.isascii() and value.isdigit() else None

    def read(self, limit: int = SMALL_BODY) -> bytes:
        """Return the body; raises UntrustedServerError if it exceeds ``limit`` bytes."""
        body = b""
        for chunk in self.stream():
            body += chunk
            if len(body) > limit:
                raise UntrustedServerError(
                    f"{place(self._method, self.url)} answered with more than {limit} bytes",
                    side=self._side,
                )
        return body

    def stream(self, chunk_size: int = CHUNK_SIZE) -> Iterator[bytes]:
        """
        Yield the body as it was sent.

        :raises ConnectionFailedError: it stalled, or ended before its length was reached.
        """
        try:
            yield from self._raw.stream(chunk_size, decode_content=False)
        except (HTTPError, OSError) as err:
            raise connection_error(self._method, self.url, err, self._side) from err


class HttpClient:
    """
    A thread-safe client with one connection pool for each host.

    :param ca_file: PEM file of the authorities to trust; by default the system's, or SSL_CERT_FILE.
    :param connect_seconds: limit for making a connection.
    :param stall_seconds: limit for silence on a connection, not for the whole transfer.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        connect_seconds: float = 10,
        stall_seconds: float = 60,
        connections_per_host: int = 16,
    ) -> None:
        self._options: dict[str, Any] = {
            "ca_file": ca_file,
            "timeout": urllib3.Timeout(connect=connect_seconds, read=stall_seconds),
            "maxsize": connections_per_host,
        }
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    @contextmanager
    def request(
        self,
        method: str,
        url: str,
        *,
        side: Side | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        accept: Collection[int] = (),
        hint: str = "",
    ) -> Iterator[Response]:
        """
        Send a request and give its response until the block ends; GET and HEAD are redirected.

        :param body: bytes, or an iterable of bytes with a ``Content-Length`` in ``headers``.
        :param accept: statuses beside 2xx that the caller wants to see instead of an error.
        :param hint: what to do about a denied request, for the message.
        :raises InvalidInputError: ``url`` is no http(s) URL.
        :raises PermanentError: a status that retrying cannot help, or an answer that leads astray.
        :raises TransientError: no connection, a stall, 429 or 5xx.
        """
        try:
            origin(url)
        except ValueError as err:
            raise InvalidInputError("URL", [str(err)]) from err
        raw, final = self._send(method, url, dict(headers or {}), body, side)
        try:
            if not 200 <= raw.status < 300 and raw.status not in accept:
                raise self._error(raw, method, final, side, hint)
            yield Response(raw, method, final, side)
        finally:
            _give_back(raw)

    def _send(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | Iterable[bytes] | None,
        side: Side | None,
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        for _ in range(_MAX_REDIRECTS + 1):
            raw = self._once(method, url, headers, body, side)
            location = raw.headers.get("Location")
            if raw.status not in _REDIRECTS or not location or method not in ("GET", "HEAD"):
                return raw, url
            _give_back(raw)
            new = urljoin(url, location)
            headers = _headers_after_redirect(method, url, new, headers, side)
            url = new
        raise UntrustedServerError(
            f"{place(method, url)}: more than {_MAX_REDIRECTS} redirects", side=side
        )

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Iterable[bytes] | None,
        side: Side | None,
    ) -> urllib3.BaseHTTPResponse:
        own = {"User-Agent": f"kops-assets/{__version__}", "Accept-Encoding": "identity"}
        try:
            return self._pool(url).request(
                method,
                url,
                headers={**own, **headers},
                body=body,
                preload_content=False,
                redirect=False,
                retries=False,
            )
        except (HTTPError, OSError) as err:
            raise connection_error(method, url, err, side) from err

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = _proxy_for(url)
        if proxy not in self._pools:
            self._pools[proxy] = self._new_pool(proxy)
        return self._pools[proxy]

    def _new_pool(self, proxy: str | None) -> urllib3.PoolManager:
        context = ssl.create_default_context(cafile=self._options["ca_file"])
        options: dict[str, Any] = {
            "timeout": self._options["timeout"],
            "maxsize": self._options["maxsize"],
            "ssl_context": context,
            "blocksize": CHUNK_SIZE,  # how much of an upload goes to the socket at once
        }
        if proxy is None:
            return urllib3.PoolManager(**options)
        auth = urlsplit(proxy).netloc.rpartition("@")[0]
        headers = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers, **options)

    @staticmethod
    def _error(
        raw: urllib3.BaseHTTPResponse, method: str, url: str, side: Side | None, hint: str
    ) -> Exception:
        try:
            body = raw.read(SMALL_BODY, decode_content=False)
        except (HTTPError, OSError):
            body = b""
        return status_error(
            method, url, raw.status, headers=raw.headers, body=body, side=side, hint=hint
        )


def _give_back(raw: urllib3.BaseHTTPResponse) -> None:
    """Return the connection to its pool if the body was read or is short, else close it."""
    left = raw.length_remaining
    # A body that nobody wanted may be gigabytes long: never drain it to save a handshake.
    if not raw.closed and (left is None or left > SMALL_BODY):
        raw.close()
    else:
        raw.drain_conn()
    raw.release_conn()


def _headers_after_redirect(
    method: str, old: str, new: str, headers: Mapping[str, str], side: Side | None
) -> dict[str, str]:
    try:
        before, after = origin(old), origin(new)
    except ValueError as err:
        raise UntrustedServerError(f"{place(method, old)} redirects: {err}", side=side) from err
    downgrade = before.scheme == "https" and after.scheme == "http"
    inward = is_loopback(after.host) and not is_loopback(before.host)
    if downgrade or inward or is_forbidden(after.host):
        raise UntrustedServerError(
            f"{place(method, old)} redirects to {after.scheme}://{after.host}, which is refused",
            side=side,
        )
    if before == after:
        return dict(headers)
    return {k: v for k, v in headers.items() if k.lower() not in _BOUND_TO_ORIGIN}


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if not parts.hostname or is_loopback(parts.hostname) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
