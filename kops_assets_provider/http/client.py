"""
Requests, redirects and streams over urllib3, with the limits that a mirror needs.

- A credential is bound to its origin: a redirect to another scheme, host or port loses
  ``Authorization`` and ``Cookie``; one from https to http, or to a link-local address, is refused.
  Where a server leads us, the address that its name stands for is checked as well (``Pools``).
- No body is ever decompressed: what is hashed is what was sent (``Accept-Encoding: identity``).
- Limits are on silence, not on length: a connection that says next to nothing for ``stall_seconds``
  fails, however large the body; only a small body has a limit for all of it. Nothing is retried
  here, since a streamed body cannot be sent twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import urllib3
from urllib3.exceptions import HTTPError

from kops_assets_provider import __version__
from kops_assets_provider.exceptions import (
    ConnectionFailedError,
    InvalidInputError,
    Side,
    UntrustedServerError,
)
from kops_assets_provider.http.address_checks import ForbiddenAddressError
from kops_assets_provider.http.errors import (
    connection_error,
    is_success,
    place,
    root_cause,
    status_error,
)
from kops_assets_provider.http.hashing import Upload
from kops_assets_provider.http.pools import CHUNK_SIZE, Pools
from kops_assets_provider.http.traffic import count
from kops_assets_provider.http.trust import Tls
from kops_assets_provider.http.urls import is_forbidden, lead, origin
from kops_assets_provider.redaction import remember_headers, secrets_of_url

SMALL_BODY = 64 << 10  # bytes; limit of an error's or a token's body
_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 5
_STALLS = 5  # a small body may take that many times ``stall_seconds``, all in all
# What the other end did to a connection, as against one that could not be made.
_DROPPED = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_BOUND_TO_ORIGIN = {"authorization", "cookie", "proxy-authorization"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """
    What is to be sent.

    :param leader: the host that led us to ``url``; None if the user did.
    :param earlier: secrets of the URLs that were redirected here.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] | None
    side: Side | None
    leader: str | None = None
    earlier: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the server may quote and nobody may see; credentials in headers are remembered."""
        return (*self.earlier, *secrets_of_url(self.url))

    def led_to(self, location: str) -> _Request:
        """Return the request that a redirect asks for; raises ValueError if it leads astray."""
        new = replace(self, url=lead(self.url, location), earlier=self.secrets)
        here = origin(self.url)
        if origin(new.url) == here:
            return new
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _BOUND_TO_ORIGIN}
        return replace(new, headers=headers, leader=here.host)


class Response:
    """A response whose status was expected. Its body is read by ``read`` or ``stream``, once."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, request: _Request, seconds: float) -> None:
        self._raw = raw
        self._request = request
        self._seconds = seconds
        self.url = request.url
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers

    @property
    def length(self) -> int | None:
        """Number of bytes that the body is said to have; None if the server does not say."""
        value = self.headers.get("Content-Length", "")
        # Python reads no number of thousands of digits, and no body is that long.
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None

    def all_of(self, name: str) -> list[str]:
        """Return the values of a header that may occur several times; ``headers`` joins them."""
        return self._raw.headers.getlist(name)

    def read(self, limit: int = SMALL_BODY) -> bytes:
        """
        Return the body, which is a small one.

        :raises UntrustedServerError: it exceeds ``limit`` bytes.
        :raises ConnectionFailedError: it stalled, ended before its length, or took too long.
        """
        try:
            body = _small_body(self._raw, limit + 1, self._seconds)
        except (HTTPError, OSError) as err:
            raise _broken(self._request, err) from err
        if len(body) > limit:
            what = f"{place(self._request.method, self.url)} answered with more"
            raise UntrustedServerError(f"{what} than {limit} bytes", side=self._request.side)
        return body

    def stream(self, chunk_size: int = CHUNK_SIZE) -> Iterator[bytes]:
        """
        Yield the body as it was sent.

        :raises ConnectionFailedError: it stalled, or ended before its length was reached.
        """
        try:
            yield from self._raw.stream(chunk_size, decode_content=False)
        except (HTTPError, OSError) as err:
            raise _broken(self._request, err) from err


class HttpClient:
    """
    A thread-safe client with one connection pool for each host.

    :param ca_file: PEM file of the authorities to trust; by default the system's, or SSL_CERT_FILE.
    :param client_cert: PEM file of our own certificate, shown to hosts that the user named.
    :param client_key: PEM file of its key, if that is not in the same file.
    :param proxy: its URL, for all hosts but this machine; by default HTTPS_PROXY and the like.
    :param proxy_ca_file: PEM file of the authorities to trust for a proxy that speaks TLS itself.
    :param connect_seconds: limit for making a connection.
    :param stall_seconds: limit for silence on a connection, not for the whole body.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        client_cert: str | None = None,
        client_key: str | None = None,
        proxy: str | None = None,
        proxy_ca_file: str | None = None,
        connect_seconds: float = 10,
        stall_seconds: float = 60,
        connections_per_host: int = 16,
    ) -> None:
        self._small_body_seconds = _STALLS * stall_seconds
        self._pools = Pools(
            Tls(ca_file=ca_file, client_cert=client_cert, client_key=client_key),
            connect_seconds=connect_seconds,
            stall_seconds=stall_seconds,
            maxsize=connections_per_host,
            proxy=proxy,
            proxy_tls=Tls(ca_file=proxy_ca_file or ca_file),
        )

    def abort(self) -> None:
        """Break all connections, for good, also those that other threads wait for."""
        self._pools.abort()

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
        led_by: str | None = None,
    ) -> Iterator[Response]:
        """
        Send a request and give its response until the block ends; GET and HEAD are redirected.

        :param body: bytes, or an iterable of bytes with a ``Content-Length`` in ``headers``.
            Nothing is sent before its first chunk has arrived.
        :param accept: statuses that the caller wants to see instead of an error, beside 200 for GET
            and HEAD, 206 if they ask for a range, and 2xx for other methods.
        :param hint: what to do about a denied request, for the message.
        :param led_by: the URL of the server whose answer named ``url``, if the user did not.
        :raises InvalidInputError: ``url`` is no http(s) URL.
        :raises PermanentError: a status that retrying cannot help, or an answer that leads astray.
        :raises TransientError: no connection, a stall, 429 or 5xx; a success that was answered
            before all of ``body`` was sent.
        """
        leader = _leader(method, url, led_by, side)
        if body is not None and not isinstance(body, bytes):
            body = Upload(body)
        count(method)
        raw, final = self._send(
            _Request(
                method=method,
                url=url,
                headers=dict(headers or {}),
                body=body,
                side=side,
                leader=leader,
            )
        )
        try:
            if not (is_success(method, raw.status, final.headers) or raw.status in accept):
                raise self._error(raw, final, hint)
            if isinstance(body, Upload) and not body.is_sent and raw.status < 400:
                what = f"answered {raw.status} before all of the body was sent"
                raise ConnectionFailedError(f"{place(method, url)} {what}", side=side)
            yield Response(raw, final, self._small_body_seconds)
        finally:
            self._give_back(raw)

    def _send(self, request: _Request) -> tuple[urllib3.BaseHTTPResponse, _Request]:
        for _ in range(_MAX_REDIRECTS + 1):
            raw = self._once(request)
            location = raw.headers.get("Location")
            redirects = raw.status in _REDIRECTS and request.method in ("GET", "HEAD")
            if not redirects or not location:
                return raw, request
            self._give_back(raw)
            where = place(request.method, request.url)
            try:
                request = request.led_to(location)
            except ValueError as err:
                raise UntrustedServerError(
                    f"{where} redirects to {err}", side=request.side
                ) from err
        raise UntrustedServerError(
            f"{place(request.method, request.url)}: more than {_MAX_REDIRECTS} redirects",
            side=request.side,
        )

    def _once(self, request: _Request) -> urllib3.BaseHTTPResponse:
        method, url, side = request.method, request.url, request.side
        remember_headers(request.headers)
        own = {"User-Agent": f"kops-assets/{__version__}", "Accept-Encoding": "identity"}
        send = partial(
            self._pools.for_url(url, request.leader).request,
            method,
            url,
            headers={**own, **request.headers},
            body=request.body,
            preload_content=False,
            redirect=False,
            retries=False,
        )
        try:
            return send()
        except ForbiddenAddressError as err:
            raise UntrustedServerError(f"{place(method, url)}: {err}", side=side) from err
        except (HTTPError, OSError) as err:
            # A kept connection may have been closed meanwhile. That is no failure of the server's.
            if method in ("GET", "HEAD") and isinstance(root_cause(err), _DROPPED):
                with suppress(HTTPError, OSError):
                    return send()
            raise _broken(request, err) from err

    def _error(self, raw: urllib3.BaseHTTPResponse, request: _Request, hint: str) -> Exception:
        try:
            body = _small_body(raw, SMALL_BODY, self._small_body_seconds)
        except (HTTPError, OSError):
            body = b""
        return status_error(
            request.method,
            request.url,
            raw.status,
            headers=raw.headers,
            body=body,
            side=request.side,
            hint=hint,
            sent=request.secrets,
        )

    def _give_back(self, raw: urllib3.BaseHTTPResponse) -> None:
        """Return the connection to its pool if the body was read or is short, else close it."""
        left = raw.length_remaining
        # A body that nobody wanted may be gigabytes long: never drain it to save a handshake.
        if not raw.closed and (left is None or left > SMALL_BODY):
            raw.close()
        else:
            with suppress(HTTPError, OSError):
                _small_body(raw, SMALL_BODY + 1, self._small_body_seconds)
        raw.release_conn()


def _broken(request: _Request, err: BaseException) -> Exception:
    return connection_error(request.method, request.url, err, request.side, request.secrets)


def _leader(method: str, url: str, led_by: str | None, side: Side | None) -> str | None:
    """Return the host that led us to ``url``, None if it is the user's own; check ``url``."""
    try:
        there = origin(url)
        if led_by is not None:
            lead(led_by, url)
        elif is_forbidden(there.host):
            raise ValueError(f"{there.host} is where a cloud keeps credentials")  # noqa: TRY301
    except ValueError as err:
        if led_by is None:
            raise InvalidInputError("URL", [str(err)]) from err
        raise UntrustedServerError(f"{place(method, led_by)} leads to {err}", side=side) from err
    if led_by is None:
        return None
    here = origin(led_by)
    return None if there == here else here.host


def _small_body(raw: urllib3.BaseHTTPResponse, limit: int, seconds: float) -> bytes:
    """Return at most ``limit`` bytes of a body, as they come; raises TimeoutError."""
    body, end = bytearray(), monotonic() + seconds
    while size := min(limit - len(body), SMALL_BODY):
        if not (chunk := raw.read1(size, decode_content=False)):
            break
        body += chunk
        if monotonic() > end:
            raw.close()
            raise TimeoutError(f"not all of it came within {seconds:g} seconds")
    return bytes(body)
