"""What must be copied of a cluster's files, and what that will take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from kops_assets_provider.exceptions import KopsAssetsError, Side
from kops_assets_provider.files.verify import FileState, Presence
from kops_assets_provider.http.client import HttpClient
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.kops.assets import FileAsset
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.model.asset import Change, State, name_of
from kops_assets_provider.mirror.model.outcome import Outcome, not_mirrored
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.places.rewrites import source_urls
from kops_assets_provider.mirror.places.target_conflicts import Write, file_writes, split_conflicts
from kops_assets_provider.mirror.places.well_known_mirrors import file_sources
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.plan.file_checks import present, wrong_file
from kops_assets_provider.mirror.plan.file_states import FileLooks
from kops_assets_provider.mirror.plan.known_assets import Known
from kops_assets_provider.mirror.plan.plan import Plan, ToCopy, make_plan

log = get_logger(__name__)

_SHORT = 10  # seconds; nothing depends on the answer
_SIDECAR_BYTES = 64  # a SHA-256 in hex
_SizeOf = Callable[[FileAsset], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRules:
    """
    How files are planned.

    :param deep: leave all files to their copies, to be read.
    :param on_drift: what is to become of a file whose hash is another one than when it was copied.
    :param source_rewrites: prefixes of canonical URLs, and where those are really fetched.
    """

    deep: bool = False
    on_drift: OnDrift = OnDrift.FAIL
    source_rewrites: Mapping[str, str] = field(default_factory=dict)


def plan_files(
    assets: Sequence[FileAsset],
    stores: FileStores,
    known: Known | None = None,
    rules: FileRules | None = None,
    *,
    documents: Iterable[Write] = (),
    each_alone: bool = False,
) -> Plan[FileAsset]:
    """
    Look which files the target has, at the files themselves; see ``make_plan`` for the errors.

    A file that no hash is known of, since somebody else has put it there, is left to its copy: that
    reads it, and sends nothing if it is right. The source of each file that must be copied is asked
    for its length.

    :param known: what is known of the mirror, asked for when it is needed: of what is not complete.
    :param documents: what the run writes beside the files: its record and report.
    :param each_alone: files with one target fail, instead of all; see ``split_conflicts``.
    :raises ConflictingTargetsError: two sources for one target.
    """
    rules = rules or FileRules()
    writes = (*file_writes(assets, stores.locate), *documents)
    assets, refused = split_conflicts(assets, writes, each_alone=each_alone)
    looks = FileLooks(assets, stores, known or Known(), read=False)
    http = HttpClient(stall_seconds=_SHORT)
    size = partial(_size_of, http=http, rewrites=rules.source_rewrites)
    settle = partial(_settle, looks=looks, rules=rules, size=size)
    plan = make_plan(assets, settle, lambda x: x)
    return replace(plan, settled=(*refused, *plan.settled))


def _settle(
    asset: FileAsset, looks: FileLooks, rules: FileRules, size: _SizeOf
) -> Outcome | ToCopy[FileAsset]:
    if asset.download == asset.canonical:
        return not_mirrored(asset)
    if rules.deep:
        return ToCopy(planned=asset, ahead=_ahead(asset, State.WRONG, Change.UNREAD))
    with counted() as traffic:
        found = looks.state(asset)
    if found.is_complete:
        return present(asset, found, traffic.requests)
    reason, change = looks.reason(asset, found), looks.change(asset, found)
    # Nodes check the hash: what the target keeps is of no use to them, and is not overwritten.
    if change is Change.DRIFTED and rules.on_drift is not OnDrift.TAKE:
        raise looks.drifted(asset, found)
    log.info("%s: %s", asset.canonical, reason)
    state = State.MISSING if found.file is Presence.ABSENT else State.WRONG
    ahead = replace(_ahead(asset, state, change), problem=wrong_file(reason))
    if change is not Change.UNREAD:
        ahead = _with_estimate(ahead, asset, found, looks, size)
    return ToCopy(planned=asset, ahead=ahead)


def _ahead(asset: FileAsset, state: State, change: Change) -> Outcome:
    return Outcome(asset=name_of(asset), state=state, change=change)


def _with_estimate(
    ahead: Outcome, asset: FileAsset, found: FileState, looks: FileLooks, size: _SizeOf
) -> Outcome:
    """Foresee what the copy of a file sends and asks for."""
    if found.file is Presence.RIGHT:
        return ahead.with_estimate(expected_bytes=_SIDECAR_BYTES)  # only its side-car is written
    length = size(asset)
    requests = 1 + looks.copy_requests(asset)
    sent = None if length is None else length + _SIDECAR_BYTES
    estimated = ahead.with_estimate(expected_bytes=sent, expected_requests=requests)
    return estimated.with_facts(size=length)


def _size_of(asset: FileAsset, http: HttpClient, rewrites: Mapping[str, str]) -> int | None:
    """Ask the source for a file's length; None if it does not tell."""
    url = file_sources(asset.canonical, source_urls([asset], rewrites))[0]
    try:
        with http.request("HEAD", url, side=Side.SOURCE) as response:
            return response.length
    except KopsAssetsError as err:
        # Its copy will say why, if that is still so.
        log.debug("%s: its length is not known: %s", asset.canonical, err)
        return None
