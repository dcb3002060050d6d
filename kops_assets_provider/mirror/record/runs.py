"""What a mirror's record tells of its runs: how each one ended, and what the last one changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kops_assets_provider.mirror.model.asset import Name, asset_name
from kops_assets_provider.mirror.model.json_reader import (
    fields_of,
    flag,
    line,
    list_of,
    number,
    one_of,
    part,
    time,
)

MOST_RUNS = 100  # that a record tells of: three months of nights
_MOST_CHANGES = 100_000  # all assets of a record removed, and as many added


class Changed(StrEnum):
    """
    How an asset of the record differs from what the run before left.

    A *replaced* one is another image or file under the same name. A *lost* one was there and is
    not any more, or not the right one; a *mended* one is there again.
    """

    ADDED = "added"
    REMOVED = "removed"
    REPLACED = "replaced"
    LOST = "lost"
    MENDED = "mended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChange:
    """An asset that the last run found changed, or changed itself."""

    asset: Name
    change: Changed

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**self.asset._asdict(), "change": self.change}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """
    How the mirror stood after a run.

    :param at: the run ended, ISO 8601 in UTC.
    :param assets: how many the nodes download from the mirror, and ``bad`` how many of them they do
        not get.
    :param size: bytes of all of them, as far as it is known.
    :param sent: bytes that the run sent to the targets.
    """

    run: str
    at: str
    ready: bool
    assets: int
    bad: int
    size: int
    sent: int


CHANGES = list_of(
    fields_of(RecordChange, asset=part(asset_name), change=one_of(Changed)), _MOST_CHANGES
)
RUNS = list_of(
    fields_of(
        RunRecord,
        run=line(),
        at=time,
        ready=flag,
        assets=number(),
        bad=number(),
        size=number(),
        sent=number(),
    ),
    MOST_RUNS,
)
