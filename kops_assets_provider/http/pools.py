"""Connections: pools of them, and through which proxy."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import urllib3

from kops_assets_provider.exceptions import InvalidInputError, StoppedError
from kops_assets_provider.http.address_checks import Rules, pool_classes
from kops_assets_provider.http.trust import Tls
from kops_assets_provider.http.urls import is_loopback, origin, redact
from kops_assets_provider.logs import keep_secrets_out
from kops_assets_provider.redaction import remember_headers, remember_url

CHUNK_SIZE = 1 << 20  # bytes; 256 KiB to 1 MiB costs the least CPU per byte
_PROXY_SCHEMES = ("http", "https")


class _Way(NamedTuple):
    """
    What connections must have in common to be shared.

    :param led: a server named the host, not the user.
    :param inside: it may be this machine.
    """

    proxy: str | None
    led: bool
    inside: bool


class _Sockets:
    """
    The open connections of some pools.

    urllib3 closes a pool's connections when nothing refers to the pool any more, so the connections
    themselves, which know this, must not lead back to it.
    """

    def __init__(self) -> None:
        self._open: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.add(sock)

    def shut_down(self) -> None:
        with self._lock:
            sockets = list(self._open)
        for sock in sockets:
            with suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS state from under a reading thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Pools:
    """
    Pool managers, each made when it is first needed; safe to share between threads.

    :param connect_seconds: limit for making a connection.
    :param stall_seconds: limit for silence on one, sending or receiving.
    :param maxsize: connections that are kept for each host.
    :param proxy: its URL, for all hosts but this machine; by default the environment says.
    :param proxy_tls: how to speak to a proxy that speaks TLS itself.
    """

    def __init__(
        self,
        tls: Tls,
        *,
        connect_seconds: float,
        stall_seconds: float,
        maxsize: int,
        proxy: str | None = None,
        proxy_tls: Tls | None = None,
    ) -> None:
        self._tls = tls
        self._proxy_tls = proxy_tls or tls
        self._proxy = proxy
        self._stall_seconds = stall_seconds
        self._options: dict[str, Any] = {
            "timeout": urllib3.Timeout(connect=connect_seconds, read=stall_seconds),
            "maxsize": maxsize,
            "blocksize": CHUNK_SIZE,  # how much of an upload goes to the socket at once
        }
        self._pools: dict[_Way, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._sockets = _Sockets()
        self._aborted = False
        keep_secrets_out()

    def for_url(self, url: str, leader: str | None = None) -> urllib3.PoolManager:
        """
        Return the pools for ``url``.

        :param leader: the host that led us there; None if the user did.
        :raises StoppedError: after :meth:`abort`.
        :raises InvalidInputError: a bad proxy, or a certificate's file that cannot be used.
        """
        # What the user himself names may be on this machine, and so may what this machine names.
        inside = leader is None or is_loopback(leader)
        way = _Way(proxy=self._proxy_for(url), led=leader is not None, inside=inside)
        with self._lock:
            if self._aborted:
                raise StoppedError("stopped, so nothing more is sent")
            if way not in self._pools:
                self._pools[way] = self._new(way)
            return self._pools[way]

    def _new(self, way: _Way) -> urllib3.PoolManager:
        # Who we are is for the host that the user meant, as a password is.
        context = self._tls.context(with_certificate=not way.led)
        options = {**self._options, "ssl_context": context}
        manager = self._through(way.proxy, options) if way.proxy else urllib3.PoolManager(**options)
        manager.pool_classes_by_scheme = pool_classes(
            Rules(stall_seconds=self._stall_seconds, inside=way.inside, opened=self._sockets.add)
        )
        return manager

    def abort(self) -> None:
        """Break all connections, for good: whoever waits for one sees it end at once."""
        with self._lock:
            self._aborted = True
        self._sockets.shut_down()

    def _through(self, proxy: str, options: dict[str, Any]) -> urllib3.ProxyManager:
        parts = urlsplit(proxy)
        if parts.scheme not in _PROXY_SCHEMES or not parts.hostname:
            problem = "expected http://host:port, as in HTTPS_PROXY=http://proxy.example.com:3128"
            # What is no URL may be all password: ``user:password@host``.
            where = f"proxy {redact(proxy)!r}" if parts.hostname else "proxy"
            raise InvalidInputError(where, [problem])
        auth = parts.netloc.rpartition("@")[0]
        headers = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        remember_url(proxy)
        remember_headers(headers or {})
        tls = self._proxy_tls if parts.scheme == "https" else None
        own = tls.context(with_certificate=False) if tls else None
        return urllib3.ProxyManager(proxy, proxy_headers=headers, proxy_ssl_context=own, **options)

    def _proxy_for(self, url: str) -> str | None:
        there = origin(url)
        if is_loopback(there.host):
            return None
        return self._proxy or _proxy_of_environment(url)


def _proxy_of_environment(url: str) -> str | None:
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
