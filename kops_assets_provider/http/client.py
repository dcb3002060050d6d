"""
Requests, redirects and streams over urllib3, with the limits that a mirror needs.

- A credential is bound to its origin: a redirect to another scheme, host or port loses
  ``Authorization`` and ``Cookie``; one from https to http, or to a link-local address, is refused.
- No body is ever decompressed: what is hashed is what was sent (``Accept-Encoding: identity``).
- Limits are on silence, not on length: a connection that says nothing for ``stall_seconds`` fails,
  however large the body. Nothing is retried here, since a streamed body cannot be sent twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

import urllib3
from urllib3.exceptions import HTTPError

from kops_assets_provider import __version__
from kops_assets_provider.exceptions import InvalidInputError, Side, UntrustedServerError
from kops_assets_provider.http.errors import connection_error, place, root_cause, status_error
from kops_assets_provider.http.pools import CHUNK_SIZE, Pools
from kops_assets_provider.http.urls import lead, origin

SMALL_BODY = 64 << 10  # bytes; limit of an error's or a token's body
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
# What the other end did to a connection, as against one that could not be made.
_DROPPED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
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
    :param stall_seconds: limit for silence on a connection, not for the whole body.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        connect_seconds: float = 10,
        stall_seconds: float = 60,
        connections_per_host: int = 16,
    ) -> None:
        timeout = urllib3.Timeout(connect=connect_seconds, read=stall_seconds)
        self._pools = Pools(ca_file, timeout, connections_per_host)

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
            new = _redirected(method, url, location, side)
            if origin(new) != origin(url):
                headers = {k: v for k, v in headers.items() if k.lower() not in _BOUND_TO_ORIGIN}
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
        pools = self._pools.for_url(url)
        send = partial(
            pools.request,
            method,
            url,
            headers={**own, **headers},
            body=body,
            preload_content=False,
            redirect=False,
            retries=False,
        )
        try:
            return send()
        except (HTTPError, OSError) as err:
            # A kept connection may have been closed meanwhile. That is no failure of the server's.
            if method in ("GET", "HEAD") and isinstance(root_cause(err), _DROPPED):
                with suppress(HTTPError, OSError):
                    return send()
            raise connection_error(method, url, err, side) from err

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


def _redirected(method: str, url: str, location: str, side: Side | None) -> str:
    try:
        return lead(url, location)
    except ValueError as err:
        message = f"{place(method, url)} redirects to {err}"
        raise UntrustedServerError(message, side=side) from err
