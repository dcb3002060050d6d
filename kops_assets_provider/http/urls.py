"""What may be shown of a URL, and what kind of host it names."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

from kops_assets_provider.redaction import printable as printable
from kops_assets_provider.redaction import redact as redact

if TYPE_CHECKING:
    from urllib3.util import Url

DEFAULT_PORTS = {"http": 80, "https": 443}
# Where clouds keep metadata and credentials outside of what is link-local.
_METADATA = tuple(
    ipaddress.ip_network(x)
    for x in (
        "fd00:ec2::/32",  # Amazon: ::254 is the instance's, ::23 the pod identity agent's
        "fd20:ce::254/128",  # Google
        "168.63.129.16/32",  # Azure's WireServer
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
        "0.0.0.0/8",  # "this host on this network" (RFC 1122)
    )
)
_METADATA_NAMES = {
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
}
_LOOPBACK_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
# Addresses that end with an IPv4 address, to which a router may translate them.
_ENDING_IN_IPV4 = tuple(
    ipaddress.IPv6Network(x)
    for x in ("64:ff9b::/96", "::ffff:0:0:0/96")  # RFC 6052, RFC 2765
)
# For prefixes of a network's own choice, of 48 to 96 bits, before the IPv4 address.
_LOCAL_TRANSLATION = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, section 2.5.5.1; deprecated
_ISATAP = (0x00005EFE, 0x02005EFE)  # RFC 5214, section 6.1

_LONGEST_LOCATION = 16 << 10  # characters; a pre-signed URL has two to four thousand

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Origin(NamedTuple):
    """Scheme, host and port: what a credential is bound to (RFC 6454)."""

    scheme: str
    host: str
    port: int


def origin(url: str) -> Origin:
    """Return the origin of ``url``; raises ValueError for a URL without scheme and host."""
    parts = _parse(url)
    host = parts.host or ""
    # What is still encoded is no name; whoever decodes it, such as a proxy, arrives elsewhere.
    if parts.scheme not in DEFAULT_PORTS or not host or ("%" in host and ":" not in host):
        raise ValueError(f"not an http(s) URL: {redact(url)}")
    return Origin(
        scheme=parts.scheme, host=host.strip("[]"), port=parts.port or DEFAULT_PORTS[parts.scheme]
    )


def _parse(url: str) -> Url:
    r"""
    Read a URL as urllib3 does, which connects to what it reads.

    Python's own parser takes ``https://evil\@good/`` for a URL of *good*, and leaves ``%31`` in a
    host as it stands; whoever checks with the one and connects with the other is led astray.
    """
    # Here, and not above: a list is printed at once, and needs none of it.
    from urllib3.util import parse_url

    try:
        return parse_url(url)
    except ValueError:
        raise ValueError(f"not an http(s) URL: {redact(url)}") from None


def lead(url: str, location: str) -> str:
    """
    Return where a server's answer to ``url`` leads to, which may be relative to it.

    :raises ValueError: nobody should follow it there: from HTTPS to HTTP, to this machine, to where
        clouds keep their credentials, with a user name of the server's choice, or nowhere.
    """
    if len(location) > _LONGEST_LOCATION:
        raise ValueError(f"a URL of more than {_LONGEST_LOCATION} characters")
    try:
        new = urljoin(url, location)
    except ValueError:
        raise ValueError("a malformed URL") from None
    here, there = origin(url), origin(new)
    shown = f"{there.scheme}://{there.host}"
    if _parse(new).auth != _parse(url).auth:
        raise ValueError(f"{shown}, which is refused: it comes with a user name")
    if here.scheme == "https" and there.scheme != "https":
        raise ValueError(f"{shown}, which is refused: it is not HTTPS")
    if is_forbidden(there.host) or (is_loopback(there.host) and not is_loopback(here.host)):
        raise ValueError(f"{shown}, which is refused: no server may send us inside")
    return new


def host_place(host: str) -> str:
    """Return a host so that two spellings of one address are equal, as are two of one name."""
    addresses = _addresses(host)
    return str(addresses[0]) if addresses else host.rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Tell by its spelling whether ``host`` (a name or an address, no port) is this machine."""
    host = host.rstrip(".").lower()
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    return any(x.is_loopback for x in _addresses(host))


def is_forbidden(host: str) -> bool:
    """
    Tell whether a server may never lead us to ``host``.

    Link-local addresses are where clouds keep their metadata and credentials. Private ones are
    allowed: a registry inside a company redirects to storage inside that company.
    """
    host = host.rstrip(".").lower()
    return host in _METADATA_NAMES or any(map(_is_forbidden, _addresses(host)))


def _is_forbidden(address: _Address) -> bool:
    return (
        address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or any(address in network for network in _METADATA)
    )


def _addresses(host: str) -> list[_Address]:
    """
    Return the address that ``host`` is, in whatever spelling a resolver would take.

    Those that are wrapped in it come with it: by translation or a tunnel it may end there.
    """
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _old_spelling(host)
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    return [address, *_wrapped(address)]


def _wrapped(address: ipaddress.IPv6Address) -> list[_Address]:
    number = int(address)
    wrapped = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    ends_so = address in _COMPATIBLE and number > 1  # neither :: nor ::1
    isatap = (number >> 32) & 0xFFFFFFFF in _ISATAP
    if ends_so or isatap or any(address in network for network in _ENDING_IN_IPV4):
        wrapped.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    if address in _LOCAL_TRANSLATION:
        wrapped += _translated(number)
    return [x for x in wrapped if x is not None]


def _translated(number: int) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that may be meant, by the length of the prefix."""
    # Bits 64 to 71 belong to no address (RFC 6052, section 2.2).
    joined = (number >> 64 << 56) | (number & ((1 << 56) - 1))
    behind = [joined >> shift & 0xFFFFFFFF for shift in (40, 32, 24)]  # 48, 56 and 64 bits
    found = map(ipaddress.IPv4Address, [*behind, number & 0xFFFFFFFF])
    return [x for x in found if int(x) >> 24]  # of another length: 0.0.0.0/8 is never meant


def _old_spelling(host: str) -> list[_Address]:
    """Read ``2852039166``, ``0xa9.254.43518`` and the like, as every resolver does."""
    try:
        return [ipaddress.IPv4Address(socket.inet_aton(host))]
    except (OSError, ValueError):
        return []
