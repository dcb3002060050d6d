"""How far a copy is, while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Self

from airflow.sdk import Context

from kops_assets_provider.airflow_versions import task_state_store
from kops_assets_provider.logs import get_logger

log = get_logger(__name__)

KEY = "progress"
EVERY_SECONDS = 10.0


class Progress:
    """
    Tells Airflow's task state store the bytes so far, or the log where there is none.

    It tells at most every ten seconds, so nothing of a copy that is done sooner, and at the end.
    Nothing that is wrong with the store fails the copy: then the log is told.
    """

    def __init__(self, context: Context, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = task_state_store(context)
        self._try_number = context["ti"].try_number
        self._clock = clock
        self._began = clock()
        self._next = self._began + EVERY_SECONDS
        self._bytes = self._told = 0
        self._counting = threading.Lock()
        self._telling = threading.Lock()

    def add(self, size: int) -> None:
        """Count bytes; may be called from several threads."""
        with self._counting:
            self._bytes += size
        # While one thread waits for Airflow the others go on copying.
        if self._is_due() and self._telling.acquire(blocking=False):
            try:
                if self._is_due():
                    self._tell()
            finally:
                self._telling.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A time limit may have struck right before its lock was released: then nobody tells.
        if 0 < self._told < self._bytes and self._telling.acquire(timeout=1):
            self._tell()

    def _is_due(self) -> bool:
        return self._clock() >= self._next and self._bytes > self._told

    def _tell(self) -> None:
        self._told = self._bytes
        seconds = round(self._clock() - self._began)
        try:
            if self._store is not None:
                value = {"bytes": self._told, "seconds": seconds, "try_number": self._try_number}
                self._store.set(KEY, value)
        except Exception as err:  # noqa: BLE001  # whatever it is, the copy goes on
            log.warning("Airflow does not take the progress, so the log has it: %s", err)
            self._store = None
        if self._store is None:
            log.info("%d bytes after %d seconds", self._told, seconds)
        self._next = self._clock() + EVERY_SECONDS
