"""What became of one image or file in one run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import (
    Change,
    Download,
    Kind,
    Name,
    Problem,
    State,
    asset_name,
    name_of,
    problem,
)
from kops_assets_provider.mirror.model.json_reader import (
    NAME,
    Check,
    WrongValue,
    fields_of,
    line,
    list_of,
    number,
    one_of,
    optional,
    part,
    read_value,
    seconds,
    time,
    under,
)
from kops_assets_provider.mirror.model.schema import versioned, with_schema

MOST_ASSETS = 50_000  # of a report, and of a record
_PART = r"(?!\.+/)[\w.~%-]+"
_LOG_PAGE = re.compile(rf"(dags/{_PART}/runs/{_PART})/tasks/[\w.~%-]+(/mapped/\d+)?", re.ASCII)


def run_of_log(page: str | None) -> str | None:
    """Return the page of the run that a log's page belongs to; None for any other page."""
    found = _LOG_PAGE.fullmatch(page or "")
    return found[1] if found else None


def log_page(value: Any) -> str:
    """Check the page of a log below Airflow's address: the page in Airflow's UI links to it."""
    page = line(4 * NAME)(value)
    if run_of_log(page) is None:
        raise WrongValue("expected dags/…/runs/…/tasks/… below Airflow's address")
    return page


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """
    What is known of an asset at the target, and at the source.

    :param content: digest of an image (``sha256:…``), SHA-256 of a file (bare hex), at the target.
    :param source: digest of an image at the source: another one if only some platforms are copied.
    :param size: bytes of the asset.
    :param verified_at: when the target was last seen to have it, ISO 8601 in UTC.
    :param drift: digest that the source's tag has moved to since the image was planned.
    :param blobs: beginnings of the digests of a copied image's blobs, in hex.
    :param warmed: the platforms that were read through a cache, empty for all of them; None if the
        image was not read through one.
    :param version: of a file at its store, as ``StoredFile`` has it, and ``sidecar_version`` of its
        side-car.
    :param download_state: the answer of a file's download URL, if it was asked.
    """

    content: str | None = None
    source: str | None = None
    size: int | None = None
    verified_at: str | None = None
    drift: str | None = None
    blobs: Sequence[str] = ()
    warmed: Sequence[str] | None = None
    version: str | None = None
    sidecar_version: str | None = None
    download_state: Download | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """
    What the copy of an asset took, also if it failed.

    :param sent: bytes that were sent to the target.
    :param mounted: bytes that another repository of the target's registry gave, in ``mounts``
        blobs.
    :param late: bytes among those sent that another repository was to have, and had not in time.
    :param requests: to source and target, without redirects and tokens.
    :param retries: tries after a failed one.
    :param seconds: from the first request to the end.
    """

    sent: int = 0
    mounted: int = 0
    mounts: int = 0
    late: int = 0
    requests: int | None = None
    retries: int = 0
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """
    What a copy will take, as far as its plan could know.

    :param expected_bytes: that it sends at most.
    :param expected_requests: that the copy itself makes.
    :param saved: bytes of an image's platforms that are not copied, as far as they were read.
    """

    expected_bytes: int | None = None
    expected_requests: int | None = None
    saved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What became of one asset.

    :param change: how source and target differed before the run.
    :param problem: why it failed, or what is doubtful about it.
    :param log: the page of the log of its copy, or of its failure, below Airflow's address.
    """

    asset: Name
    state: State
    change: Change | None = None
    facts: Facts = field(default_factory=Facts)
    cost: Cost = field(default_factory=Cost)
    estimate: Estimate = field(default_factory=Estimate)
    problem: Problem | None = None
    log: str | None = None

    @property
    def kind(self) -> Kind:
        """Image or file."""
        return self.asset.kind

    @property
    def canonical(self) -> str:
        """The asset's name upstream."""
        return self.asset.canonical

    @property
    def download(self) -> str:
        """The name under which nodes get the asset."""
        return self.asset.download

    @property
    def is_bad(self) -> bool:
        """Whether nodes do not get the asset from the mirror, or not the right one."""
        readable = self.facts.download_state
        return self.state.is_bad or (readable is not None and readable.is_bad)

    def with_facts(self, **facts: Any) -> Outcome:
        """Return the outcome with more facts."""
        return replace(self, facts=replace(self.facts, **facts))

    def with_estimate(self, **estimate: Any) -> Outcome:
        """Return the outcome with more of its estimate."""
        return replace(self, estimate=replace(self.estimate, **estimate))

    def with_cost(self, **cost: Any) -> Outcome:
        """Return the outcome with more of its cost."""
        return replace(self, cost=replace(self.cost, **cost))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values in one level; those without meaning are left out."""
        parts = {**asdict(self.facts), **asdict(self.cost), **asdict(self.estimate)}
        plain = ("mounted", "mounts", "late", "retries", "blobs", "saved")
        found = {k: v for k, v in parts.items() if v or k not in plain}
        found = {k: v for k, v in found.items() if v not in (None, "")}
        # Airflow would wrap a tuple, and the page reads what it has stored.
        found = {k: list(v) if isinstance(v, tuple) else v for k, v in found.items()}
        error = self.problem and self.problem.to_dict()
        own = {"change": self.change, "log": self.log, "error": error}
        own = {k: v for k, v in own.items() if v}
        named = {**self.asset._asdict(), "state": self.state}
        return with_schema({**named, **found, **own})

    @classmethod
    def from_dict(cls, values: object, where: str = "outcome") -> Outcome:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(outcome, values, where)


# No more than these add up to numbers that 64 bits hold.
SIZE: Check[int] = number(1 << 46)
BLOBS = list_of(line(64, "[0-9a-f]+"), 10_000)
PLATFORMS = list_of(line(100), 100)
FACTS: dict[str, Check[Any]] = {
    "content": optional(line()),
    "source": optional(line()),
    "size": optional(SIZE),
    "verified_at": optional(time),
    "drift": optional(line()),
    "blobs": BLOBS,
    "warmed": optional(PLATFORMS),
    "version": optional(line()),
    "sidecar_version": optional(line()),
    "download_state": optional(one_of(Download)),
}
_COST: dict[str, Check[Any]] = {
    **dict.fromkeys(("sent", "mounted", "mounts", "late", "retries"), SIZE),
    "requests": optional(SIZE),
    "seconds": optional(seconds),
}
_ESTIMATE: dict[str, Check[Any]] = {
    "expected_bytes": optional(SIZE),
    "expected_requests": optional(SIZE),
    "saved": SIZE,
}


outcome: Check[Outcome] = versioned(
    fields_of(
        Outcome,
        asset=part(asset_name),
        state=one_of(State),
        change=optional(one_of(Change)),
        facts=part(fields_of(Facts, **FACTS)),
        cost=part(fields_of(Cost, **_COST)),
        estimate=part(fields_of(Estimate, **_ESTIMATE)),
        problem=under("error", optional(problem)),
        log=optional(log_page),
    )
)
"""Check an outcome: what ``Outcome.to_dict`` wrote."""
OUTCOMES = list_of(outcome, MOST_ASSETS)


def outcome_of(asset: ImageAsset | FileAsset, state: State, **facts: Any) -> Outcome:
    """Return the outcome of an asset of a list."""
    return Outcome(asset=name_of(asset), state=state, facts=Facts(**facts))


def not_mirrored(asset: ImageAsset | FileAsset) -> Outcome:
    """Return the outcome of an asset that nodes download from upstream."""
    return Outcome(asset=name_of(asset), state=State.NOT_MIRRORED, change=Change.NOT_MIRRORED)


def failed(asset: Name, why: Problem) -> Outcome:
    """Return the outcome of an asset that could not be copied."""
    return Outcome(asset=asset, state=State.FAILED, problem=why)
