"""How copies run, how they are watched and stopped, and the result that each of them returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from kops_assets_provider.exceptions import StoppedError
from kops_assets_provider.http.hashing import OnChunk
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.oci.copy import IsComing, always


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """
    Run, watch and stop the copies of one process; safe to share between threads.

    :param retries: tries again inside the process. Its ``stop`` ends every copy.
    :param workers: blobs, or files, that are in flight at a time.
    :param on_chunk: called with the bytes of each chunk on its way, from several threads. An
        exception that it raises ends the copy of that asset.
    :param is_coming: called with a repository; returns whether another process is uploading to it.
    """

    retries: Retries = field(default_factory=Retries)
    workers: int = 4
    on_chunk: OnChunk | None = None
    is_coming: IsComing = always

    @classmethod
    def until(cls, stop: Event | None, **options: Any) -> Control:
        """Return one whose copies end as soon as ``stop`` is set."""
        return cls(retries=Retries(stop=stop), **options)

    def watch(self, size: int) -> None:
        """Count a chunk of a file; raise StoppedError once the copies were stopped."""
        if self.retries.stop.is_set():
            raise StoppedError("stopped")
        if self.on_chunk:
            self.on_chunk(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyResult:
    """
    The result of a copy.

    :param outcome: the asset's state, and its cost also where the copy failed.
    :param error: the reason why it failed; None if the asset is whole at the target.
    """

    outcome: Outcome
    error: Exception | None = None

    def raise_error(self) -> Outcome:
        """Return the outcome; raise the error of a copy that failed."""
        if self.error is not None:
            raise self.error
        return self.outcome


OnResult = Callable[[CopyResult], None]
