"""
Reads the records of mirrors for the page: many at once, each no more often than it changes.

The page must stand within a moment whatever a bucket does, so nobody waits longer than that: who
has not answered by then is read on for the next look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from kops_assets_provider.files.targets import show_place
from kops_assets_provider.hooks.state_store import open_state_stores
from kops_assets_provider.mirror.model.asset import Problem
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.places.state.ports import StateStore
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.ui.record_access import Place

_READERS = 10  # as many connections as boto3 keeps
_KEPT_SECONDS = 300.0  # a record may be written by others than Airflow
_PATIENCE_SECONDS = 3.0


Found = MirrorRecord | str
"""A record, or why there is none."""
Open = Callable[[str | None, str | None], StateStores]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    found: Found
    stamp: datetime
    at: float


class Records:
    """
    One object for each process; safe to share between threads.

    :param open_stores: opens stores by the ids of an AWS and a Google connection.
    :param patience: seconds that somebody waits at most.
    """

    def __init__(
        self, open_stores: Open = open_state_stores, patience: float = _PATIENCE_SECONDS
    ) -> None:
        self._open_stores = open_stores
        self._patience = patience
        self._kept: dict[Place, _Kept] = {}
        self._reading: dict[Place, Future[None]] = {}
        self._lock = threading.Lock()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_READERS, thread_name_prefix="records")

    def read(self, stamps: Mapping[Place, datetime]) -> dict[Place, Found]:
        """
        Return what is at each place.

        :param stamps: when a run last wrote there: what was read for an earlier one is read anew.
        """
        wait(self._begin(stamps), timeout=self._patience)
        return {x: self._found(x, stamp) for x, stamp in stamps.items()}

    def _found(self, place: Place, stamp: datetime) -> Found:
        kept = self._kept.get(place)
        if kept and kept.stamp >= stamp:
            return kept.found
        return f"{show_place(place.url)} did not answer within {self._patience:g} s"

    def _begin(self, stamps: Mapping[Place, datetime]) -> list[Future[None]]:
        with self._lock:
            wanted = [x for x, stamp in stamps.items() if not self._is_fresh(x, stamp)]
            folders = _Folders(self._open_stores)
            for place in wanted:
                if place not in self._reading:
                    reading = self._pool.submit(self._read, place, stamps[place], folders)
                    self._reading[place] = reading
            return [self._reading[x] for x in wanted]

    def _is_fresh(self, place: Place, stamp: datetime) -> bool:
        kept = self._kept.get(place)
        return bool(kept and kept.stamp >= stamp and time.monotonic() - kept.at < _KEPT_SECONDS)

    def _read(self, place: Place, stamp: datetime, folders: _Folders) -> None:
        try:
            found = _read_record(place, folders)
        except Exception as err:  # noqa: BLE001  # of one record, and told beside its cluster
            found = Problem.of(err).message
        with self._lock:
            self._kept[place] = _Kept(found=found, stamp=stamp, at=time.monotonic())
            del self._reading[place]


class _Folders:
    """Opens each folder once, whoever comes first: making a client takes longer than a read."""

    def __init__(self, open_stores: Open) -> None:
        self._open_stores = open_stores
        self._opened: dict[Place, StateStore] = {}
        self._lock = threading.Lock()

    def open(self, folder: Place) -> StateStore:
        with self._lock:
            if folder not in self._opened:
                stores = self._open_stores(folder.aws_conn_id, folder.gcp_conn_id)
                self._opened[folder] = stores.open(folder.folder)
            return self._opened[folder]


def _read_record(place: Place, folders: _Folders) -> Found:
    raw = folders.open(place._replace(path="")).read(place.path)
    where = show_place(place.url)
    return parse_record(raw, where) if raw is not None else f"{where}: there is none"


def places_of(lefts: Iterable[tuple[Place, datetime]]) -> dict[Place, datetime]:
    """Return each place with the newest of its times."""
    found: dict[Place, datetime] = {}
    for place, at in lefts:
        found[place] = max(at, found.get(place, at))
    return found
