"""The figures of a copy of images that are printed."""

from __future__ import annotations

from benchmarks.images.runs import ImageRun
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

TABLE: Table[ImageRun] = Table(
    (
        Column("delay ms", lambda run: run.delay * 1000, 1),
        WALL,
        CLIENT_CPU,
        SOURCE_CPU,
        TARGET_CPU,
        Column("requests", lambda run: run.requests, 0, compared=True),
        Column("at source", lambda run: run.source.requests, 0),
        Column("at target", lambda run: run.target.requests, 0),
        Column("manifest PUTs", lambda run: run.target.manifest_puts, 0),
        Column("MB from source", lambda run: run.source.blob_bytes / 1e6, 1, compared=True),
        PEAK_RSS,
        OTHERS_CPU,
    )
)
