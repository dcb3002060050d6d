"""
What is known about a cluster's mirror, beside the mirror or where the user says.

One JSON document for each cluster, rewritten by each run. It can be lost: then less is known of the
past, and nothing is copied wrongly. Nothing else keeps state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.model.asset import Name, State
from kops_assets_provider.mirror.model.document_formats import FORMAT_KEY, Format
from kops_assets_provider.mirror.model.outcome import Facts
from kops_assets_provider.mirror.model.times import Freshness, is_ahead
from kops_assets_provider.mirror.record.lists_and_copies import CopyRecord, ListRecord
from kops_assets_provider.mirror.record.runs import RecordChange, RunRecord

_OWN = ("reason", "copied_at", "copied_by", "copied_log", "failed_log")
SCHEMA = 2  # a reader understands every smaller number, and refuses a larger one


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetRecord:
    """
    What is known of one asset.

    :param facts: what was true when the target was last verified.
    :param reason: why it is failed, or what is doubtful about it.
    :param copied_at: when it was last copied, ISO 8601 in UTC, and ``copied_by`` which run did it.
    :param copied_log: the page of the log of that copy, below Airflow's address, and ``failed_log``
        of the log of what failed.
    :param extra: what other features know of it, by their names; kept as it is.
    """

    asset: Name
    state: State
    facts: Facts = field(default_factory=Facts)
    reason: str | None = None
    copied_at: str | None = None
    copied_by: str | None = None
    copied_log: str | None = None
    failed_log: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """Whether nodes did not get it from the mirror when it was last looked at."""
        readable = self.facts.download_state
        return self.state.is_bad or (readable is not None and readable.is_bad)

    def problem(self, fresh: Freshness) -> str | None:
        """Return why nodes cannot count on the asset; None if its verification is fresh."""
        if self.state is State.NOT_MIRRORED:
            return None
        name, verified_at = self.asset.canonical, self.facts.verified_at
        if self.is_bad:
            return f"{name}: {self.reason or self.state}"
        if fresh.covers(verified_at):
            return None
        if verified_at and is_ahead(verified_at, fresh.at):
            return f"{name}: its verification at {verified_at} is ahead of our clock"
        return f"{name}: last verified {verified_at or 'never'}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values in one level, and ``extra``."""
        own = {x: getattr(self, x) for x in _OWN}
        facts = asdict(self.facts)
        # What the source has moved to is news of one run, and no fact of the mirror.
        del facts["drift"]
        facts["target"] = facts.pop("content")
        facts["blobs"] = facts["blobs"] or None
        return {**self.asset._asdict(), "state": self.state, **facts, **own, "extra": self.extra}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """
    The readiness that was last delivered to those who wait for the mirror.

    :param at: when it was delivered, ISO 8601 in UTC.
    """

    ready: bool
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorRecord:
    """
    All that is known of one cluster's mirror after ``run``.

    :param since: when the mirror became whole, or ceased to be, ISO 8601 in UTC.
    :param runs: how the mirror stood after the last runs, this one last.
    :param changes: what this run changed, or found changed.
    :param lists: the whole lists that were asked for, each that differs from the one before; the
        last one is asked for now.
    :param copied: everything that we have written, in the order of writing.
    :param warnings: those of the last list.
    :param notified: what those who wait for the mirror were last notified of; None if of nothing.
    """

    cluster: str
    kops_version: str
    run: str
    updated_at: str
    assets: tuple[AssetRecord, ...]
    since: str | None = None
    runs: tuple[RunRecord, ...] = ()
    changes: tuple[RecordChange, ...] = ()
    lists: tuple[ListRecord, ...] = ()
    copied: tuple[CopyRecord, ...] = ()
    warnings: tuple[Caveat, ...] = ()
    notified: Notified | None = None

    def to_json(self) -> str:
        """Return the document; it begins with its format, by which it is known to be ours."""
        head = {FORMAT_KEY: Format.RECORD, "schema": SCHEMA}
        own = {x.name: getattr(self, x.name) for x in fields(self)}
        plain = {
            "assets": [x.to_dict() for x in self.assets],
            "runs": [asdict(x) for x in self.runs],
            "changes": [x.to_dict() for x in self.changes],
            "lists": [x.to_dict() for x in self.lists],
            "copied": [x.to_dict() for x in self.copied],
            "warnings": [x.to_dict() for x in self.warnings],
            "notified": self.notified and asdict(self.notified),
        }
        return json.dumps({**head, **own, **plain}, indent=1) + "\n"

    @property
    def is_whole(self) -> bool:
        """Whether the last run found everything."""
        return not any(asset.is_bad for asset in self.assets)

    def unready(self, within: timedelta, at: datetime | None = None) -> list[str]:
        """
        Return why the mirror is not ready, a sentence for each asset; nothing if it is.

        :param within: how long ago an asset may have been verified.
        """
        fresh = Freshness(within=within, at=at or datetime.now(UTC))
        if not self.assets:
            return [f"{self.cluster}: the record has no assets"]
        return [x for x in (asset.problem(fresh) for asset in self.assets) if x]
