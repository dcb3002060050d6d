"""The figures of a copy of files that are printed."""

from __future__ import annotations

from benchmarks.files.runs import FileRun
from benchmarks.measuring.tables import (
    CLIENT_CPU,
    OTHERS_CPU,
    PEAK_RSS,
    SOURCE_CPU,
    TARGET_CPU,
    WALL,
    Column,
    Table,
)

_AT_SOURCE: Column[FileRun] = Column("at source", lambda run: run.source_requests, 0)
_AT_TARGET: Column[FileRun] = Column("at target", lambda run: run.target_requests or 0, 0)
_MB: Column[FileRun] = Column("MB from source", lambda run: run.source_bytes / 1e6, 1)
_OWN: Column[FileRun] = Column("above Python MB", lambda run: run.own_rss / 1e6, 1, compared=True)


def file_table(no_change: bool) -> Table[FileRun]:
    """Return the table; requests at the target are known only if there is no change."""
    requests = (_AT_SOURCE, _AT_TARGET) if no_change else (_AT_SOURCE,)
    times = (WALL, CLIENT_CPU, SOURCE_CPU, TARGET_CPU)
    return Table((*times, *requests, _MB, PEAK_RSS, _OWN, OTHERS_CPU))
