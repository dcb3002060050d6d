"""
The parts of a mirror's record about the past: the lists that were mirrored, and the copies made.

An asset that leaves the list stays known by it: where we have put it, and since when nobody needs
it. Whoever removes it must know both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from kops_assets_provider.exceptions import (
    ConflictingTargetsError,
    InvalidInputError,
    KopsAssetsError,
)
from kops_assets_provider.files.targets import FileTarget
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.model.json_reader import (
    NAME,
    Check,
    WrongValue,
    fields_of,
    line,
    list_of,
    one_of,
    optional,
    part,
    time,
)
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.model.times import parse_time
from kops_assets_provider.oci.reference import Reference

KEEP_DAYS = 90
_MOST_LISTS = 1000
_MOST_COPIES = 200_000
Locate = Callable[[str], FileTarget]
"""Returns where the file of a download URL is written; raises KopsAssetsError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecord:
    """
    The whole list of a run that differs from the list before.

    :param sha256: of the list's JSON, bare hex: its name.
    :param at: when it was first asked for, ISO 8601 in UTC, and ``run`` by which run.
    """

    sha256: str
    at: str
    run: str
    kops_version: str
    assets: ClusterAssets

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, the assets with kOps' keys."""
        own = {x: getattr(self, x) for x in ("sha256", "at", "run", "kops_version")}
        return {**own, **self.assets.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecord:
    """
    Something that we wrote, and where.

    :param place: registry and repository of an image; ``s3://bucket``, ``gs://bucket`` or
        ``file:///directory`` of a file.
    :param name: the tag or digest of an image; the key or path of a file.
    :param content: its whole digest, or the SHA-256 of a file in bare hex.
    :param at: when it was written, ISO 8601 in UTC, and ``run`` by which run.
    :param replaced_at: when we wrote something else there, and ``removed_at`` when we removed it.
    """

    kind: Kind
    canonical: str
    place: str
    name: str
    content: str
    at: str
    run: str
    replaced_at: str | None = None
    removed_at: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether nothing that we know of has taken it away."""
        return self.replaced_at is None and self.removed_at is None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; times that are not known are left out."""
        return {k: v for k, v in asdict(self).items() if v is not None}


def lists_after(
    before: Sequence[ListRecord], new: ListRecord, keep_days: int = KEEP_DAYS
) -> tuple[ListRecord, ...]:
    """
    Return the lists with that of a run, if it differs from the one before.

    :param keep_days: a list is kept as long after another has replaced it.
    """
    lists = [*before] if before and before[-1].sha256 == new.sha256 else [*before, new]
    oldest = parse_time(new.at) - timedelta(days=keep_days)
    return tuple(
        one
        for number, one in enumerate(lists)
        # The last one is asked for now.
        if number + 1 == len(lists) or parse_time(lists[number + 1].at) >= oldest
    )


def list_record(assets: ClusterAssets, kops_version: str, at: str, run: str) -> ListRecord:
    """Return the record of a list."""
    sha256 = hashlib.sha256(assets.to_json().encode()).hexdigest()
    return ListRecord(sha256=sha256, at=at, run=run, kops_version=kops_version, assets=assets)


def copies_after(
    before: Sequence[CopyRecord], outcomes: Iterable[Outcome], locate: Locate, run: str
) -> tuple[CopyRecord, ...]:
    """Return what was written, with the copies of a run. A run that reports again counts once."""
    copies = list(before)
    there = {(x.place, x.name): number for number, x in enumerate(copies) if x.is_there}
    for outcome in outcomes:
        new = _copy_record(outcome, locate, run)
        if new is None:
            continue
        number = there.get((new.place, new.name))
        if number is not None:
            old = copies[number]
            if (old.content, old.run) == (new.content, new.run):
                continue
            copies[number] = replace(old, replaced_at=new.at)
        there[new.place, new.name] = len(copies)
        copies.append(new)
    return tuple(copies)


def _copy_record(outcome: Outcome, locate: Locate, run: str) -> CopyRecord | None:
    facts = outcome.facts
    if outcome.state is not State.COPIED or facts.content is None or facts.verified_at is None:
        return None
    try:
        place, name = _place(outcome, locate)
    except KopsAssetsError:
        return None  # then nothing was written
    return CopyRecord(
        kind=outcome.kind,
        canonical=outcome.canonical,
        place=place,
        name=name,
        content=facts.content,
        at=facts.verified_at,
        run=run,
    )


def _place(outcome: Outcome, locate: Locate) -> tuple[str, str]:
    if outcome.kind is Kind.IMAGE:
        reference = Reference.parse(outcome.download)
        return reference.name, reference.push_as
    target = locate(outcome.download)
    return f"{target.scheme}://{target.root}", target.path


def _list_assets(value: Any) -> ClusterAssets:
    try:
        return ClusterAssets.from_dict({k: value[k] for k in ("images", "files") if k in value})
    except (InvalidInputError, ConflictingTargetsError) as err:
        raise WrongValue(str(err)) from None


_LIST: Check[ListRecord] = fields_of(
    ListRecord,
    sha256=line(64, "[0-9a-f]{64}"),
    at=time,
    run=line(),
    kops_version=line(),
    assets=part(_list_assets),
)
LISTS = list_of(_LIST, _MOST_LISTS)
COPIES = list_of(
    fields_of(
        CopyRecord,
        kind=one_of(Kind),
        canonical=line(NAME),
        place=line(NAME),
        name=line(NAME),
        content=line(),
        at=time,
        run=line(),
        replaced_at=optional(time),
        removed_at=optional(time),
    ),
    _MOST_COPIES,
)
