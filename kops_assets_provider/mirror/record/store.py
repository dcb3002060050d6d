"""Read and write the mirror's record where it lies."""

from __future__ import annotations

from dataclasses import dataclass

from kops_assets_provider.exceptions import InvalidInputError, NotFoundError
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.ports import FileStore
from kops_assets_provider.files.targets import FileTarget
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.document_formats import Format, foreign, format_of
from kops_assets_provider.mirror.model.json_reader import join_chunks
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.record.lists_and_copies import Locate
from kops_assets_provider.mirror.record.places import (
    has_default_name,
    invalid_target,
    record_target,
)
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.record import MirrorRecord
from kops_assets_provider.mirror.record.update import Judged, update_record

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """
    A record that was updated.

    :param before: what was there before; None if there was nothing, or nothing valid.
    """

    before: MirrorRecord | None


def update_stored_record(
    listed: AssetList, report: Judged, run: str, stores: FileStores, record_url: str | None
) -> KeptRecord | None:
    """
    Update the record of a list's mirror by what a run found; return None if no place is for it.

    :param stores: what the run writes files with.
    :param record_url: where the record is, if not beside the files.
    :raises KopsAssetsError: what ``keep_record`` raises.
    """
    target = record_target(listed, record_url, stores)
    if target is None:
        return None
    store, _ = stores.open_target(target)
    version, locate = listed.kops_version, stores.locate
    before = keep_record(store, target, report, version, run, listed=listed, locate=locate)
    return KeptRecord(before=before)


def find_record(
    listed: AssetList, stores: FileStores, record_url: str | None
) -> MirrorRecord | None:
    """Read the record of a list's mirror; raises what ``read_record`` raises."""
    target = record_target(listed, record_url, stores)
    return read_record(*stores.open_target(target), listed.cluster) if target else None


def keep_record(
    store: FileStore,
    target: FileTarget,
    report: Judged,
    kops_version: str,
    run: str,
    *,
    listed: AssetList | None = None,
    locate: Locate | None = None,
) -> MirrorRecord | None:
    """
    Update the record at ``target`` by what a run learnt, and return what was there before.

    A document is ours if it begins with the format of records, or has the name that records get by
    default. An invalid one of ours is kept beside the new record, with the suffix ``.invalid``.

    :param store: that of ``target``.
    :param listed: the list of the run, and ``locate`` returns where a file was written.
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
    record = update_record(old, report, kops_version, run, listed=listed, locate=locate)
    store.write(target.path, Content.of("the mirror record", record.to_json().encode()))
    return old


def read_record(store: FileStore, path: str, cluster: str) -> MirrorRecord | None:
    """Read the record of a cluster, if there is one; raises what ``parse_record`` raises."""
    raw = _read_document(store, path)
    return None if raw is None else _record_of(raw, path, cluster)


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
    return _record_of(raw, str(target), cluster)


def _record_of(raw: bytes, where: str, cluster: str) -> MirrorRecord:
    record = parse_record(raw, where)
    if record.cluster != cluster:
        raise InvalidInputError(where, [f"it is the record of {record.cluster}"])
    return record
