"""What the tests of real servers look at."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

LISTENING = "0A"


@pytest.fixture
def listeners():
    """Return the TCP addresses that processes listen on: ``listeners(pids)``."""
    return listening_addresses


def listening_addresses(pids):
    inodes = {inode for pid in pids for inode in socket_inodes(pid)}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add(f"{readable(address)}:{int(port, 16)}")
    return found


def socket_inodes(pid):
    """Yield the inodes of a process's sockets; none if it has just ended."""
    try:
        links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    except FileNotFoundError:
        return
    for link in links:
        if link.startswith("socket:["):
            yield link[8:-1]


def readable(address):
    """Return an IPv4 address as people write it, and an IPv6 one as the kernel does."""
    if len(address) > 8:
        return address
    return socket.inet_ntoa(struct.pack("=I", int(address, 16)))
