"""Connections: pools of them, through which proxy, and whom they trust."""

from __future__ import annotations

import logging
import ssl
import threading
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.http.urls import is_loopback, redact

CHUNK_SIZE = 1 << 20  # bytes; 256 KiB to 1 MiB costs the least CPU per byte
_PROXY_SCHEMES = ("http", "https")


class Pools:
    """
    One pool manager for each proxy, made when it is first needed; safe to share between threads.

    :param ca_file: PEM file of the authorities to trust; by default the system's, or SSL_CERT_FILE.
    :param timeout: for making a connection, and for silence on one.
    :param maxsize: connections that are kept for each host.
    """

    def __init__(self, ca_file: str | None, timeout: urllib3.Timeout, maxsize: int) -> None:
        self._ca_file = ca_file
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "maxsize": maxsize,
            "blocksize": CHUNK_SIZE,  # how much of an upload goes to the socket at once
        }
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        _keep_queries_out_of_logs()

    def for_url(self, url: str) -> urllib3.PoolManager:
        """Return the pools for ``url``; raises InvalidInputError for a bad proxy or CA file."""
        proxy = _proxy_for(url)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._new(proxy)
            return self._pools[proxy]

    def _new(self, proxy: str | None) -> urllib3.PoolManager:
        context = _trust(self._ca_file)
        if proxy is None:
            return urllib3.PoolManager(ssl_context=context, **self._options)
        parts = urlsplit(proxy)
        if parts.scheme not in _PROXY_SCHEMES or not parts.hostname:
            problem = "expected http://host:port, as in HTTPS_PROXY=http://proxy.example.com:3128"
            raise InvalidInputError(f"proxy {redact(proxy)!r}", [problem])
        auth = parts.netloc.rpartition("@")[0]
        headers = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        return urllib3.ProxyManager(
            proxy, proxy_headers=headers, ssl_context=context, **self._options
        )


def _trust(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as err:
        why = err.strerror or str(err)
        raise InvalidInputError(f"CA file {ca_file}", [f"cannot be used: {why}"]) from err


def _proxy_for(url: str) -> str | None:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if not parts.hostname or is_loopback(parts.hostname) or proxy_bypass(host):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def _without_queries(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(
            x.partition("?")[0] + "?…" if isinstance(x, str) and "?" in x else x
            for x in record.args
        )
    return True


def _keep_queries_out_of_logs() -> None:
    # At level DEBUG urllib3 logs whole URLs, and the query of a pre-signed one is a credential.
    logging.getLogger("urllib3.connectionpool").addFilter(_without_queries)
