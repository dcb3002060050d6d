"""The servers that are copied between, and where their data lies."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.component import Component
from tests.support.messages import RecordedRequest

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - the one place that is memory on every Linux
_SPARE_BYTES = 1_000_000_000
_LOG_SETTLES = 0.1


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs and logs its requests, and its process."""

    component: Component
    pid: int

    @property
    def host(self) -> str:
        """``127.0.0.1:port``."""
        return self.component.host

    def request_count(self) -> int:
        """Return how many requests there were so far."""
        return len(self.component.requests())

    def requests_since(self, count: int) -> list[RecordedRequest]:
        """Return the requests after the first ``count``, once no more of them are logged."""
        before, now = -1, self.request_count()
        while before != now:
            time.sleep(_LOG_SETTLES)
            before, now = now, self.request_count()
        return self.component.requests()[count:]


@contextmanager
def work_directory(size: int) -> Iterator[Path]:
    """Make a directory for ``size`` bytes: in memory if there is room, else where TMPDIR says."""
    place = _IN_MEMORY if _room_in_memory() > size + _SPARE_BYTES else None
    with tempfile.TemporaryDirectory(dir=place, prefix="benchmark-") as directory:
        yield Path(directory)


def _room_in_memory() -> int:
    if not _IN_MEMORY.is_dir():
        return 0
    found = os.statvfs(_IN_MEMORY)
    # A tmpfs promises more than there may be.
    available = re.search(
        r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE
    )
    return min(found.f_bavail * found.f_frsize, int(available[1]) * 1024 if available else 0)
