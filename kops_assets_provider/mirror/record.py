"""
What is known about a cluster's mirror, beside the mirror or where the user says.

One JSON document for each cluster, rewritten by each run. It can be lost: then less is known of the
past, and nothing is copied wrongly. Nothing else keeps state.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import FileStore
from kops_assets_provider.files.stores import FileTarget
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.document import join_chunks
from kops_assets_provider.mirror.history import (
    RecordChange,
    RunRecord,
    changes_after,
    runs_after,
)
from kops_assets_provider.mirror.outcome import Download, Kind, Name, Outcome, State, now
from kops_assets_provider.mirror.own_documents import FORMAT_KEY, Format, foreign, format_of
from kops_assets_provider.mirror.record_places import has_default_name, invalid_target
from kops_assets_provider.mirror.report import Report
from kops_assets_provider.mirror.times import Freshness, is_ahead

log = get_logger(__name__)

SCHEMA = 1  # a reader understands every smaller number, and refuses a larger one


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """
    What is known of one asset.

    :param source: digest or sha at the source; None if it was never read.
    :param target: digest or sha at the target when it was last verified.
    :param size: bytes.
    :param verified_at: when the target was last seen to have it, ISO 8601 in UTC.
    :param copied_at: when it was last copied, and ``copied_by`` which run did it.
    :param copied_log: where people find the log of that copy, below Airflow's address.
    :param reason: why it is failed, or what is doubtful about it.
    :param failed_log: where people find the log of what failed.
    :param warmed: platforms that were read through a cache, empty for all; None if it was not.
    :param blobs: beginnings of the digests of the blobs of the image ``target``, in hex.
    :param download_state: what a file's download URL last answered, as ``Download`` has it.
    :param version: of the file ``target`` at its store when its bytes were last verified, as
        ``StoredFile`` has it, and ``sidecar_version`` that of its side-car.
    """

    kind: Kind
    canonical: str
    download: str
    state: State
    source: str | None = None
    target: str | None = None
    size: int | None = None
    verified_at: str | None = None
    copied_at: str | None = None
    copied_by: str | None = None
    reason: str | None = None
    blobs: Sequence[str] | None = None
    warmed: Sequence[str] | None = None
    version: str | None = None
    sidecar_version: str | None = None
    download_state: str | None = None
    copied_log: str | None = None
    failed_log: str | None = None

    @property
    def name(self) -> Name:
        """Kind, canonical and download."""
        return self.kind, self.canonical, self.download

    @property
    def is_bad(self) -> bool:
        """Whether nodes did not get it from the mirror when it was last looked at."""
        return self.state.is_bad or self.download_state in (Download.NOT_THERE, Download.WRONG)

    def problem(self, fresh: Freshness) -> str | None:
        """Return why nodes cannot count on the asset; None if its verification is fresh."""
        if self.state is State.NOT_MIRRORED:
            return None
        if self.is_bad:
            return f"{self.canonical}: {self.reason or self.state}"
        if fresh.covers(self.verified_at):
            return None
        if self.verified_at and is_ahead(self.verified_at, fresh.at):
            return f"{self.canonical}: its verification at {self.verified_at} is ahead of our clock"
        return f"{self.canonical}: last verified {self.verified_at or 'never'}"


@dataclass(frozen=True, slots=True)
class MirrorRecord:
    """
    All that is known of one cluster's mirror after ``run``.

    :param since: when the mirror became whole, or ceased to be, ISO 8601 in UTC.
    :param runs: how the mirror stood after the last runs, this one last.
    :param changes: what this run changed, or found changed.
    """

    cluster: str
    kops_version: str
    run: str
    updated_at: str
    assets: tuple[AssetRecord, ...]
    since: str | None = None
    runs: tuple[RunRecord, ...] = ()
    changes: tuple[RecordChange, ...] = ()

    def to_json(self) -> str:
        """Return the document; it begins with its format, by which it is known to be ours."""
        head = {FORMAT_KEY: Format.RECORD, "schema": SCHEMA}
        return json.dumps({**head, **asdict(self)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str) -> MirrorRecord:
        """
        Read a document of this schema or an older one.

        :raises InvalidInputError: it is not a record, or a value in it is wrong.
        :raises UnsupportedTargetError: a newer release of this package wrote it.
        """
        from kops_assets_provider.mirror.record_reading import parse_record

        return parse_record(text, where)

    @property
    def is_whole(self) -> bool:
        """Whether the last run found everything."""
        return not any(asset.is_bad for asset in self.assets)

    def unready(self, within: timedelta, at: datetime | None = None) -> list[str]:
        """
        Return why the mirror is not ready, a sentence for each asset; nothing if it is.

        :param within: how long ago an asset may have been verified.
        """
        fresh = Freshness(within, at or datetime.now(UTC))
        if not self.assets:
            return [f"{self.cluster}: the record has no assets"]
        return [x for x in (asset.problem(fresh) for asset in self.assets) if x]


def update_record(
    old: MirrorRecord | None, report: Report, kops_version: str, run: str
) -> MirrorRecord:
    """Return the record after a run: what the run learnt over what was known before."""
    before = {x.name: x for x in old.assets} if old else {}
    assets = []
    for outcome in report.outcomes:
        asset = before.get(outcome.name) or AssetRecord(*outcome.name, state=outcome.state)
        assets.append(_after(asset, outcome, run))
    new = MirrorRecord(report.cluster, kops_version, run, now(), tuple(assets))
    return replace(
        new,
        since=_since(old, new),
        runs=runs_after(old, RunRecord.of(new, report.sent)),
        changes=changes_after(old, new),
    )


def _since(old: MirrorRecord | None, new: MirrorRecord) -> str:
    if old is None or old.is_whole != new.is_whole:
        return new.updated_at
    return old.since or old.updated_at


def _after(asset: AssetRecord, outcome: Outcome, run: str) -> AssetRecord:
    if asset.verified_at and is_ahead(asset.verified_at, datetime.now(UTC)):
        # It would count as verified once the clock gets there.
        asset = replace(asset, verified_at=None)
    if outcome.state is State.FAILED:
        reason = (outcome.error or {}).get("message")
        return replace(asset, state=State.FAILED, reason=reason, failed_log=outcome.log)
    same = outcome.content == asset.target
    asset = replace(
        asset,
        state=outcome.state,
        source=outcome.source or _source(outcome, asset),
        target=outcome.content or asset.target,
        size=asset.size if outcome.size is None else outcome.size,
        verified_at=outcome.verified_at or asset.verified_at,
        reason=(outcome.error or {}).get("message"),
        warmed=outcome.warmed,
        blobs=outcome.blobs or (asset.blobs if same else None),
        version=outcome.version or (asset.version if same else None),
        sidecar_version=outcome.sidecar_version or (asset.sidecar_version if same else None),
        download_state=outcome.download_state,
        failed_log=None,
    )
    if outcome.state in (State.COPIED, State.WARMED):
        at, log_page = outcome.verified_at, outcome.log
        return replace(asset, copied_at=at, copied_by=run, copied_log=log_page)
    return asset


def _source(outcome: Outcome, asset: AssetRecord) -> str | None:
    # A file is the same on both sides; of an image some platforms may have been left out.
    return outcome.content if outcome.kind is Kind.FILE else asset.source


def keep_record(
    store: FileStore, target: FileTarget, report: Report, kops_version: str, run: str
) -> MirrorRecord | None:
    """
    Update the record at ``target`` by what a run learnt, and return what was there before.

    A document is ours if it begins with the format of records, or has the name that records get by
    default. An invalid one of ours is kept beside the new record, with the suffix ``.invalid``.

    :param store: that of ``target``.
    :raises UnsupportedTargetError: the document there is not ours, or a newer release of this
        package wrote it; it stays.
    :raises KopsAssetsError: what the store raises.
    """
    raw, old = _read_document(store, target.path), None
    if raw is not None:
        try:
            old = _own_record(raw, target, report.cluster)
        except InvalidInputError as err:
            aside = invalid_target(target)
            store.write(aside.path, Content.of("the invalid mirror record", raw))
            log.warning("the mirror record is invalid: it is kept as %s; %s", aside, err)
    record = update_record(old, report, kops_version, run)
    store.write(target.path, Content.of("the mirror record", record.to_json().encode()))
    return old


def read_record(store: FileStore, path: str) -> MirrorRecord | None:
    """Read the record, if there is one; raises what ``from_json`` raises."""
    raw = _read_document(store, path)
    return None if raw is None else MirrorRecord.from_json(raw, path)


def _read_document(store: FileStore, path: str) -> bytes | None:
    try:
        with store.read(path) as chunks:
            return join_chunks(chunks, path)
    except NotFoundError:
        return None


def _own_record(raw: bytes, target: FileTarget, cluster: str) -> MirrorRecord:
    """Return the record that ``raw`` is; raises UnsupportedTargetError if it is not ours."""
    found = format_of(raw)
    if found != Format.RECORD and not (found is None and has_default_name(target, cluster)):
        raise foreign(Format.RECORD, str(target))
    record = MirrorRecord.from_json(raw, str(target))
    if record.cluster != cluster:
        raise InvalidInputError(str(target), [f"it is the record of {record.cluster}"])
    return record
