"""Waiting for what a server of the tests does in a thread of its own."""

from __future__ import annotations

import time


def wait_for(condition):
    """Wait until it is so; fail if that takes more than a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.01)
