"""What became of one image or file in one run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from kops_assets_provider.exceptions import KopsAssetsError
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.changes import Change
from kops_assets_provider.mirror.document import (
    NAME,
    Check,
    WrongValue,
    fields_of,
    line,
    list_of,
    number,
    one_of,
    optional,
    read_value,
    seconds,
    time,
    words,
)


class Kind(StrEnum):
    """Container image or file."""

    IMAGE = "image"
    FILE = "file"


Name = tuple[Kind, str, str]
"""Kind, canonical and download: in a fleet one asset may have several targets."""


class State(StrEnum):
    """
    How an asset stands at the target. A *warmed* one was read through a pull-through cache.

    A *not mirrored* one is downloaded by the nodes from where it always was, since ``spec.assets``
    does not say otherwise; it is neither copied nor missing. A *wrong* one is there, and is not
    what it should be. *Missing* and *wrong* is what a check finds; a copy ends such a state, or
    *failed*.
    """

    COPIED = "copied"
    WARMED = "warmed"
    PRESENT = "present"
    NOT_MIRRORED = "not mirrored"
    MISSING = "missing"
    WRONG = "wrong"
    FAILED = "failed"

    @property
    def is_bad(self) -> bool:
        """Whether nodes do not get the asset from the mirror, or not the right one."""
        return self in (State.MISSING, State.WRONG, State.FAILED)


class Download(StrEnum):
    """What a file's download URL answered to somebody without credentials, as nodes are."""

    READABLE = "readable"
    NOT_THERE = "not there"
    WRONG = "wrong length"
    UNKNOWN = "unknown from here"


_PART = r"(?!\.+/)[\w.~%-]+"
_LOG_PAGE = re.compile(rf"(dags/{_PART}/runs/{_PART})/tasks/[\w.~%-]+(/mapped/\d+)?", re.ASCII)


def run_of_log(page: str | None) -> str | None:
    """Return the page of the run that a log's page is of; None if it is not a log's page."""
    found = _LOG_PAGE.fullmatch(page or "")
    return found[1] if found else None


def log_page(value: Any) -> str:
    """Check the page of a log below Airflow's address: the page in Airflow's UI links to it."""
    page = line(4 * NAME)(value)
    if run_of_log(page) is None:
        raise WrongValue("expected dags/…/runs/…/tasks/… below Airflow's address")
    return page


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What became of one asset.

    :param content: digest of an image (``sha256:…``), sha of a file (bare hex), at the target, if
        it is known.
    :param source: digest of an image at the source, if it is known: another one if only some of
        the platforms are copied.
    :param size: bytes of the asset, if known.
    :param sent: bytes that were sent to the target for it.
    :param mounted: bytes that another repository of the target's registry gave, in ``mounts``
        blobs.
    :param late: bytes among those sent that another repository was to have, and had not in time.
    :param requests: to source and target, redirects and tokens apart.
    :param retries: tries after one that failed.
    :param seconds: that the copy took.
    :param drift: digest that the source's tag has come to stand for since it was planned.
    :param blobs: beginnings of the digests of a copied image's blobs, in hex.
    :param warmed: the platforms that were read through a cache; empty for all of them.
    :param version: of a file at its store, as ``StoredFile`` has it, if that was looked at, and
        ``sidecar_version`` that of its side-car.
    :param download_state: of a file's download URL, if it was asked.
    :param verified_at: when the target was last seen to have it, ISO 8601 in UTC.
    :param error: an error's ``to_dict()``, for a failed one.
    :param change: how source and target differed before the run, as ``Change`` has it.
    :param expected_bytes: what was foreseen of ``sent``, at most, and ``expected_requests`` of what
        the copy itself would ask, before its first byte.
    :param saved: bytes of an image's platforms that are not copied, as far as they were asked for.
    :param log: where people find the log of what copied it, or failed, below Airflow's address.
    """

    kind: Kind
    canonical: str
    download: str
    state: State
    content: str | None = None
    size: int | None = None
    sent: int = 0
    verified_at: str | None = None
    error: dict[str, Any] | None = None
    source: str | None = None
    mounted: int = 0
    mounts: int = 0
    late: int = 0
    requests: int | None = None
    retries: int = 0
    seconds: float | None = None
    drift: str | None = None
    blobs: Sequence[str] = ()
    warmed: Sequence[str] | None = None
    version: str | None = None
    sidecar_version: str | None = None
    download_state: Download | None = None
    change: str | None = None
    expected_bytes: int | None = None
    expected_requests: int | None = None
    saved: int = 0
    log: str | None = None

    @property
    def name(self) -> Name:
        """Kind, canonical and download."""
        return self.kind, self.canonical, self.download

    @property
    def is_bad(self) -> bool:
        """Whether nodes do not get the asset from the mirror, or not the right one."""
        return self.state.is_bad or self.download_state in (Download.NOT_THERE, Download.WRONG)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, those without meaning left out."""
        plain = ("mounted", "mounts", "late", "retries", "blobs", "saved")
        found = {k: v for k, v in asdict(self).items() if v or (v == 0 and k not in plain)}
        # Airflow would wrap a tuple, and the page reads what it has stored.
        return {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}

    @classmethod
    def from_dict(cls, values: object, where: str = "outcome") -> Outcome:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(OUTCOME, values, where)


def _error(value: Any) -> dict[str, Any]:
    found = _ERROR(value)
    return {k: getattr(found, k) for k in value if k in ("type", "message", "side")}


@dataclass(frozen=True, slots=True)
class _Error:
    type: str | None = None
    message: str = ""
    side: str | None = None


# No more than these add up to numbers that 64 bits hold.
SIZE: Check[int] = number(1 << 46)
BLOBS = list_of(line(64, "[0-9a-f]+"), 10_000)
PLATFORMS = list_of(line(100), 100)
ASSET_NAMES: dict[str, Check[Any]] = {
    "kind": one_of(Kind),
    "canonical": line(NAME),
    "download": line(NAME),
}
_ERROR = fields_of(_Error, type=line(), message=words, side=optional(line()))
OUTCOME: Check[Outcome] = fields_of(
    Outcome,
    **ASSET_NAMES,
    state=one_of(State),
    content=optional(line()),
    size=optional(SIZE),
    sent=SIZE,
    verified_at=optional(time),
    error=optional(_error),
    source=optional(line()),
    mounted=SIZE,
    mounts=SIZE,
    late=SIZE,
    requests=optional(SIZE),
    retries=SIZE,
    seconds=optional(seconds),
    drift=optional(line()),
    blobs=BLOBS,
    warmed=optional(PLATFORMS),
    version=optional(line()),
    sidecar_version=optional(line()),
    download_state=optional(one_of(Download)),
    change=optional(one_of(Change)),
    expected_bytes=optional(SIZE),
    expected_requests=optional(SIZE),
    saved=SIZE,
    log=optional(log_page),
)


def name_of(asset: ImageAsset | FileAsset) -> Name:
    """Return the name of an asset of a list."""
    kind = Kind.IMAGE if isinstance(asset, ImageAsset) else Kind.FILE
    return kind, asset.canonical, asset.download


def not_mirrored(kind: Kind, canonical: str, download: str) -> Outcome:
    """Return the outcome of an asset that nodes download from where it always was."""
    state, change = State.NOT_MIRRORED, Change.NOT_MIRRORED
    return Outcome(kind, canonical, download, state, change=change)


def failed(kind: Kind, canonical: str, download: str, error: Mapping[str, Any]) -> Outcome:
    """Return the outcome of an asset that could not be copied."""
    return Outcome(kind, canonical, download, State.FAILED, error=dict(error))


def error_dict(error: BaseException) -> dict[str, Any]:
    """
    Return what may be published of ``error``.

    The message of an error that is not ours may hold anything, secrets too: only its type is told.
    """
    if isinstance(error, KopsAssetsError):
        return error.to_dict()
    return {"type": type(error).__name__, "message": "unexpected error; the log has it"}


def now() -> str:
    """Return the time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
