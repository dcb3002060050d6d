"""What copying one asset cost."""

from __future__ import annotations

import threading
from collections import Counter


class Traffic:
    """Counts requests by method; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()

    def add(self, method: str) -> None:
        """Count one request. Redirects and token requests are not counted."""
        with self._lock:
            self._requests[method] += 1

    @property
    def requests(self) -> int:
        """How many there were."""
        with self._lock:
            return self._requests.total()
