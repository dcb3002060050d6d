"""
Check the address that a connection has arrived at, before anything is sent.

The spelling of a URL says little: any name can be made to stand for ``169.254.169.254``, and for
another address at the second look-up than at the first. So the address is checked that the socket
is connected to, of which there is one and which does not change.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from kops_assets_provider.http.response_limits import PacedResponse
from kops_assets_provider.http.urls import is_forbidden, is_loopback


class ForbiddenAddressError(Exception):
    """A name stands for an address that nobody may lead us to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What the connections of a pool are held to.

    :param stall_seconds: limit for silence, and for less than ``pace.MIN_BYTES``.
    :param inside: they may lead to this machine.
    :param opened: told every socket, when it is connected.
    """

    stall_seconds: float
    inside: bool
    opened: Callable[[socket.socket], None]


class _Guarded(HTTPConnection):
    rules: ClassVar[Rules]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        paced = partial(PacedResponse, stall_seconds=self.rules.stall_seconds)
        self.response_class = paced  # type: ignore[assignment]  # called like the class

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # A proxy was named by the user, and looks names up itself: behind one, the spelling of a
        # host is all that can be checked.
        if self.proxy is None:
            try:
                check_address(self.host, peer_of(sock), self.rules)
            except BaseException:
                sock.close()
                raise
        return sock

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.rules.stall_seconds)
        self.rules.opened(self.sock)

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request; on a connection that is there, within the limit for silence."""
        # urllib3 sends what goes over TLS, or over a kept connection, within the limit for
        # connecting: an upload would have to move as fast as that.
        if self.sock is not None:
            self.timeout = self.rules.stall_seconds
        super().request(*args, **options)


class _GuardedTls(_Guarded, HTTPSConnection):
    pass


def peer_of(sock: socket.socket) -> str:
    """Return the address that a socket is connected to."""
    return str(sock.getpeername()[0])


def check_address(host: str, address: str, rules: Rules) -> None:
    """Raise ForbiddenAddressError if ``host``, which is at ``address``, must not be spoken to."""
    if is_forbidden(address) or (is_loopback(address) and not rules.inside):
        raise ForbiddenAddressError(f"{host} is at {address}, which is refused: it leads inside")


def pool_classes(rules: Rules) -> dict[str, type[HTTPConnectionPool]]:
    """Return the classes for ``PoolManager.pool_classes_by_scheme``."""
    # urllib3 hands unknown options on to nobody, so the rules are the classes' own.
    plain = type("HTTPConnection", (_Guarded,), {"rules": rules})
    tls = type("HTTPSConnection", (_GuardedTls,), {"rules": rules})
    return {
        "http": type("HTTPConnectionPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("HTTPSConnectionPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
