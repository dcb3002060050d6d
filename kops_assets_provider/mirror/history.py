"""What a mirror's record tells of its runs: how each one ended, and what the last one changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kops_assets_provider.mirror.document import (
    fields_of,
    flag,
    line,
    list_of,
    number,
    one_of,
    time,
)
from kops_assets_provider.mirror.model import Name, State, asset_name

if TYPE_CHECKING:
    from kops_assets_provider.mirror.record import AssetRecord, MirrorRecord

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


def _record_change(value: Any) -> RecordChange:
    return RecordChange(asset=asset_name(value), change=_CHANGED(value).change)


@dataclass(frozen=True, slots=True)
class _Changed:
    change: Changed


_CHANGED = fields_of(_Changed, change=one_of(Changed))


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

    @classmethod
    def of(cls, record: MirrorRecord, sent: int) -> RunRecord:
        """Return the last run of a record."""
        mirrored = [x for x in record.assets if x.state is not State.NOT_MIRRORED]
        bad = sum(x.is_bad for x in mirrored)
        return cls(
            run=record.run,
            at=record.updated_at,
            ready=not bad,
            assets=len(mirrored),
            bad=bad,
            size=sum(x.facts.size or 0 for x in mirrored),
            sent=sent,
        )


CHANGES = list_of(_record_change, _MOST_CHANGES)
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


def runs_after(old: MirrorRecord | None, last: RunRecord) -> tuple[RunRecord, ...]:
    """Return the last runs; one that has reported before, and was cleared since, counts once."""
    before = [x for x in old.runs if x.run != last.run] if old else []
    return (*before, last)[-MOST_RUNS:]


def changes_after(old: MirrorRecord | None, new: MirrorRecord) -> tuple[RecordChange, ...]:
    """Return what the last run changed; nothing if it is the first one that is known."""
    if old is None:
        return ()
    found = tuple(_changes(old.assets, new.assets))
    if old.run != new.run:
        return found
    # The same run reports again: what it told before still holds, unless it tells otherwise now.
    told = {x.asset for x in found}
    return (*(x for x in old.changes if x.asset not in told), *found)


def _changes(old: Sequence[AssetRecord], new: Sequence[AssetRecord]) -> Iterator[RecordChange]:
    before, after = {x.asset: x for x in old}, {x.asset for x in new}
    for asset in new:
        if change := _change(before.get(asset.asset), asset):
            yield RecordChange(asset=asset.asset, change=change)
    for name in before.keys() - after:
        yield RecordChange(asset=name, change=Changed.REMOVED)


def _change(old: AssetRecord | None, new: AssetRecord) -> Changed | None:
    if old is None:
        return Changed.ADDED
    if new.is_bad != old.is_bad:
        return Changed.LOST if new.is_bad else Changed.MENDED
    before, after = old.facts.content, new.facts.content
    return Changed.REPLACED if before and after != before else None
