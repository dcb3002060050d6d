"""Progress on a terminal; on anything else a line for each asset that is done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TextIO

from rich import progress as bars
from rich.console import Console

from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.redaction import clean


class Progress:
    """
    Told by a copy how far it is, from several threads.

    Bytes are those on their way: the bar never goes back. It ends before it is full where blobs
    were there already, or could be mounted.
    """

    def __init__(self, display: bars.Progress, quiet: bool) -> None:
        self._display = display
        self._quiet = quiet
        self._lock = threading.Lock()
        self._bytes = display.add_task("bytes", total=None)

    def on_chunk(self, size: int) -> None:
        """Count bytes."""
        self._display.advance(self._bytes, size)

    def on_plan(self, image_bytes: int, files: int) -> None:
        """Learn what there is to do; the size of files is not known before."""
        self._display.update(self._bytes, total=image_bytes if not files else None)

    def on_outcome(self, outcome: Outcome) -> None:
        """Say what became of an asset, unless there was nothing to do for it."""
        if self._quiet or outcome.state in (State.PRESENT, State.NOT_MIRRORED):
            return
        reason = f": {outcome.problem.message}" if outcome.problem else ""
        with self._lock:
            line = clean(f"{outcome.state} {outcome.canonical}{reason}")
            self._display.console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def show_progress(stream: TextIO, *, quiet: bool = False) -> Iterator[Progress]:
    """Show progress on ``stream`` until the block ends."""
    console = Console(file=stream, stderr=True)
    is_shown = console.is_terminal and not quiet
    display = bars.Progress(
        bars.TextColumn("copying"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not is_shown,
    )
    # Before 14.2 rich ended one that is disabled with an empty line.
    with display if is_shown else nullcontext():
        yield Progress(display, quiet)
