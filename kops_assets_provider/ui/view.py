"""
The records of mirrors as the page shows them: plain JSON values, without secrets.

Whatever comes from outside is text that moves no cursor, and URLs of files stand there without user
info and query, as in the report's files. The page writes all of it as text, never as markup.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kops_assets_provider.http.urls import printable, redact
from kops_assets_provider.mirror.model.asset import Kind, Name, State
from kops_assets_provider.mirror.model.outcome import run_of_log
from kops_assets_provider.mirror.model.times import Freshness
from kops_assets_provider.mirror.record.record import AssetRecord, MirrorRecord
from kops_assets_provider.mirror.record.runs import RecordChange
from kops_assets_provider.redaction import printable_values

Values = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """
    A cluster on the page.

    :param kind: what the run did: ``copy``, ``check`` or ``dry run``.
    :param run_page: of the run that the record is of, below Airflow's address; None if that was
        none of Airflow's.
    :param remark: what there is to say of the record.
    :param more: further values: the last check, and the actions.
    """

    record: MirrorRecord
    kind: str
    dag_id: str | None = None
    run_page: str | None = None
    remark: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


def page_values(shown: Sequence[Shown], at: datetime, within: timedelta) -> Values:
    """
    Return all that the page shows.

    :param within: how long ago an asset may have been verified, as for the sensor.
    """
    fresh = Freshness(within=within, at=at)
    values = {
        "now": at.isoformat(timespec="seconds"),
        "max_age_hours": within / timedelta(hours=1),
        "clusters": [_cluster(x, fresh) for x in shown],
        "assets": [
            {"cluster": number, **values}
            for number, x in enumerate(shown)
            for values in _assets(x.record, fresh)
        ],
    }
    return dict(printable_values(values))


def _cluster(shown: Shown, fresh: Freshness) -> Values:
    record = shown.record
    bad = sum(x.is_bad for x in record.assets)
    problems = sum(x.problem(fresh) is not None for x in record.assets)
    run = {"id": printable(record.run), "dag_id": shown.dag_id, "at": record.updated_at}
    return {
        "cluster": printable(record.cluster),
        "status": "not ready" if bad else "ready" if record.assets and not problems else "stale",
        "since": record.since,
        "problems": problems,
        "remark": shown.remark and printable(shown.remark),
        "kind": shown.kind,
        "kops_version": printable(record.kops_version),
        "run": {**run, "url": shown.run_page},
        "size": sum(x.facts.size or 0 for x in record.assets if x.state is not State.NOT_MIRRORED),
        "counts": dict(Counter(str(x.state) for x in record.assets)),
        "changes": [_change(x) for x in record.changes],
        "history": [[x.at, x.ready, x.assets, x.bad, x.size, x.sent] for x in record.runs],
        **shown.more,
    }


def _change(change: RecordChange) -> Values:
    return {**_names(change.asset), "change": str(change.change)}


def _names(name: Name) -> Values:
    kind, canonical, download = name
    shown = printable if kind is Kind.IMAGE else redact
    return {"kind": str(kind), "canonical": shown(canonical), "download": shown(download)}


def _assets(record: MirrorRecord, fresh: Freshness) -> Iterator[Values]:
    changes = {x.asset: str(x.change) for x in record.changes}
    for asset in record.assets:
        yield {**_asset(asset, fresh), "change": changes.get(asset.asset)}


def _asset(asset: AssetRecord, fresh: Freshness) -> Values:
    logs = [x for x in (asset.failed_log, asset.copied_log) if run_of_log(x)]
    return {
        **_names(asset.asset),
        "state": str(asset.state),
        "status": _status(asset, fresh),
        "content": asset.facts.content,
        "size": asset.facts.size,
        "verified_at": asset.facts.verified_at,
        "copied_at": asset.copied_at,
        "copied_by": asset.copied_by and printable(asset.copied_by),
        "copied_url": run_of_log(asset.copied_log),
        "log": logs[0] if logs else None,
        "reason": printable(_reason(asset)) or None,
    }


def _reason(asset: AssetRecord) -> str:
    if asset.reason or not asset.is_bad:
        return asset.reason or ""
    if asset.state.is_bad:
        return "It is not at the target, or not the right one."
    return f"Nodes do not get it: its download URL is {asset.facts.download_state}."


def _status(asset: AssetRecord, fresh: Freshness) -> str:
    if asset.state is State.NOT_MIRRORED:
        return "not mirrored"
    if asset.is_bad:
        return "bad"
    return "stale" if asset.problem(fresh) else "ok"
