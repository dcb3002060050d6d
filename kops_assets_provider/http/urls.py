"""What may be shown of a URL, and what kind of host it names."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}
_AWS_METADATA = ipaddress.IPv6Address("fd00:ec2::254")  # the one that is not link-local
_METADATA_NAMES = {"metadata.google.internal", "metadata.goog", "instance-data"}
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


class Origin(NamedTuple):
    """Scheme, host and port: what a credential is bound to (RFC 6454)."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Return the origin of ``url``; raises ValueError for a URL without scheme and host."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError(f"not an http(s) URL: {redact(url)}")
    return Origin(parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme])


def redact(url: str) -> str:
    """Return ``url`` without user info, query and fragment: those may hold secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a malformed URL"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if parts.scheme else f"{host}{parts.path}"


def lead(url: str, location: str) -> str:
    """
    Return where a server's answer to ``url`` leads to, which may be relative to it.

    :raises ValueError: nobody should follow it there: from HTTPS to HTTP, to this machine, to where
        clouds keep their credentials, or nowhere.
    """
    new = urljoin(url, location)
    here, there = origin(url), origin(new)
    shown = f"{there.scheme}://{there.host}"
    if here.scheme == "https" and there.scheme != "https":
        raise ValueError(f"{shown}, which is refused: it is not HTTPS")
    if is_forbidden(there.host) or (is_loopback(there.host) and not is_loopback(here.host)):
        raise ValueError(f"{shown}, which is refused: no server may send us inside")
    return new


def is_loopback(host: str) -> bool:
    """Tell by its spelling whether ``host`` (a name or an address, no port) is this machine."""
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and address.is_loopback


def is_forbidden(host: str) -> bool:
    """
    Tell whether a server may never lead us to ``host``.

    Link-local addresses are where clouds keep their metadata and credentials. Private ones are
    allowed: a registry inside a company redirects to storage inside that company.
    """
    host = host.rstrip(".")
    address = _address(host)
    if address is None:
        return host.lower() in _METADATA_NAMES
    return (
        address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address == _AWS_METADATA
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that ``host`` is, in whatever spelling a resolver would take."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _old_spelling(host)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _old_spelling(host: str) -> ipaddress.IPv4Address | None:
    """Read ``2852039166``, ``0xa9.254.43518`` and the like, as every resolver does."""
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
