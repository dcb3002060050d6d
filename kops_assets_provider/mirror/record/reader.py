"""Read a mirror's record, which anybody who can write to its bucket may have written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.model.asset import State, asset_name
from kops_assets_provider.mirror.model.document_formats import Format
from kops_assets_provider.mirror.model.json_reader import (
    Check,
    WrongValue,
    fields_of,
    flag,
    line,
    list_of,
    number,
    one_of,
    optional,
    parse_json,
    part,
    read_value,
    time,
    under,
    words,
)
from kops_assets_provider.mirror.model.outcome import FACTS, MOST_ASSETS, Facts, log_page
from kops_assets_provider.mirror.record.lists_and_copies import COPIES, LISTS
from kops_assets_provider.mirror.record.record import SCHEMA, AssetRecord, MirrorRecord, Notified
from kops_assets_provider.mirror.record.runs import CHANGES, RUNS

_MOST_WARNINGS = 100_000


def parse_record(raw: bytes | str, where: str) -> MirrorRecord:
    """
    Read a document of this schema or an older one.

    :raises InvalidInputError: it is no mirror record, or a value in it is wrong; the message says
        which one.
    :raises UnsupportedTargetError: a newer release of this package wrote it.
    """
    try:
        values = parse_json(raw, where)
        _check_schema(read_value(_SCHEMA, values, where).schema, where)
        return read_value(_RECORD, values, where)
    except InvalidInputError as err:
        problem = "; ".join(err.problems)
        raise InvalidInputError(where, [f"not a mirror record: {problem}"]) from None


def _check_schema(schema: int, where: str) -> None:
    if schema > SCHEMA:
        message = f"{where} has the schema {schema}, and this release knows those up to {SCHEMA}"
        raise UnsupportedTargetError(f"{message}: update it, nothing is overwritten")


def _format(value: Any) -> str:
    if value != Format.RECORD:
        raise WrongValue(f"expected {Format.RECORD}")
    return str(value)


def _cluster(value: Any) -> str:
    if not is_cluster_name(value):
        raise WrongValue(EXPECTED_NAME)
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Schema:
    schema: int
    format: str = Format.RECORD  # documents of early releases do not say it


_SCHEMA = fields_of(_Schema, schema=number(least=1), format=_format)


def _extra(value: Any) -> Mapping[str, Any]:
    # The whole document has a limit of depth and size; what is in here others know.
    if not isinstance(value, Mapping):
        raise WrongValue("expected a mapping")
    return value


def _blobs(value: Any) -> Sequence[str]:
    return () if value is None else FACTS["blobs"](value)


# A record calls the content its target, and has no drift.
_KEPT = {k: x for k, x in FACTS.items() if k not in ("content", "drift", "blobs")}
_FACTS = fields_of(Facts, content=under("target", FACTS["content"]), blobs=_blobs, **_KEPT)
_ASSET = fields_of(
    AssetRecord,
    asset=part(asset_name),
    state=one_of(State),
    facts=part(_FACTS),
    reason=optional(words),
    copied_at=optional(time),
    copied_by=optional(line()),
    copied_log=optional(log_page),
    failed_log=optional(log_page),
    extra=_extra,
)


def _assets(value: Any) -> tuple[AssetRecord, ...]:
    assets = list_of(_ASSET, MOST_ASSETS)(value)
    seen = set()
    for index, asset in enumerate(assets):
        if asset.asset in seen:
            raise WrongValue("the same asset occurs twice", f"[{index}]")
        seen.add(asset.asset)
    return assets


_RECORD: Check[MirrorRecord] = fields_of(
    MirrorRecord,
    cluster=_cluster,
    kops_version=line(),
    run=line(),
    updated_at=time,
    assets=_assets,
    since=optional(time),
    runs=RUNS,
    changes=CHANGES,
    lists=LISTS,
    copied=COPIES,
    warnings=list_of(fields_of(Caveat, code=line(), message=words), _MOST_WARNINGS),
    notified=optional(fields_of(Notified, ready=flag, at=time)),
)
