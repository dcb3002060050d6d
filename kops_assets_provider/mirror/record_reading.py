"""Read a mirror's record, which anybody who can write to its bucket may have written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.mirror.document import (
    Check,
    WrongValue,
    fields_of,
    line,
    list_of,
    number,
    one_of,
    optional,
    parse_json,
    read_value,
    time,
    words,
)
from kops_assets_provider.mirror.history import CHANGES, RUNS
from kops_assets_provider.mirror.outcome import (
    ASSET_NAMES,
    BLOBS,
    PLATFORMS,
    SIZE,
    Download,
    State,
    log_page,
)
from kops_assets_provider.mirror.own_documents import Format
from kops_assets_provider.mirror.record import SCHEMA, AssetRecord, MirrorRecord

MOST_ASSETS = 50_000


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


def _assets(value: Any) -> tuple[AssetRecord, ...]:
    assets = list_of(_ASSET, MOST_ASSETS)(value)
    seen = set()
    for index, asset in enumerate(assets):
        if asset.name in seen:
            raise WrongValue("the same asset occurs twice", f"[{index}]")
        seen.add(asset.name)
    return assets


def _format(value: Any) -> str:
    if value != Format.RECORD:
        raise WrongValue(f"expected {Format.RECORD}")
    return str(value)


def _cluster(value: Any) -> str:
    if not is_cluster_name(value):
        raise WrongValue(EXPECTED_NAME)
    return str(value)


@dataclass(frozen=True, slots=True)
class _Schema:
    schema: int
    format: str = Format.RECORD  # documents of early releases do not say it


_SCHEMA = fields_of(_Schema, schema=number(least=1), format=_format)
_ASSET: Check[AssetRecord] = fields_of(
    AssetRecord,
    **ASSET_NAMES,
    state=one_of(State),
    source=optional(line()),
    target=optional(line()),
    size=optional(SIZE),
    verified_at=optional(time),
    copied_at=optional(time),
    copied_by=optional(line()),
    reason=optional(words),
    blobs=optional(BLOBS),
    warmed=optional(PLATFORMS),
    version=optional(line()),
    sidecar_version=optional(line()),
    download_state=optional(one_of(Download)),
    copied_log=optional(log_page),
    failed_log=optional(log_page),
)
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
)
