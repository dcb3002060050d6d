"""What a run changed in a mirror's record, and how the mirror stood after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kops_assets_provider.mirror.model.asset import State
from kops_assets_provider.mirror.record.record import AssetRecord, MirrorRecord
from kops_assets_provider.mirror.record.runs import MOST_RUNS, Changed, RecordChange, RunRecord


def run_record(record: MirrorRecord, sent: int) -> RunRecord:
    """
    Return how the mirror stood after the last run of a record.

    :param sent: bytes that the run sent to the targets.
    """
    mirrored = [x for x in record.assets if x.state is not State.NOT_MIRRORED]
    bad = sum(x.is_bad for x in mirrored)
    return RunRecord(
        run=record.run,
        at=record.updated_at,
        ready=not bad,
        assets=len(mirrored),
        bad=bad,
        size=sum(x.facts.size or 0 for x in mirrored),
        sent=sent,
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
