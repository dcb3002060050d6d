"""What a run did: one outcome for every asset of the list, none forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kops_assets_provider.exceptions import MissingAssetsError
from kops_assets_provider.mirror.model.asset import Change, Kind, State, now
from kops_assets_provider.mirror.model.json_reader import (
    Check,
    fields_of,
    flag,
    line,
    read_value,
    under,
)
from kops_assets_provider.mirror.model.outcome import OUTCOMES, Outcome
from kops_assets_provider.mirror.model.schema import versioned, with_schema
from kops_assets_provider.mirror.report.tables import dry_run_table, results_table

NOTHING_MIRRORED = (
    "no asset is remapped, so its nodes download everything from upstream and there is nothing to "
    "mirror; set spec.assets.containerRegistry, containerProxy or fileRepository"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcomes of one run for one cluster, in the order of the list, images first."""

    cluster: str
    outcomes: tuple[Outcome, ...]
    dry_run: bool = False

    @property
    def missing(self) -> tuple[Outcome, ...]:
        """The assets that the target does not have, or not the right bytes of."""
        return tuple(x for x in self.outcomes if x.is_bad)

    @property
    def ready(self) -> bool:
        """Whether every asset that the nodes download from the mirror is there."""
        return not self.missing

    def summary(self) -> str:
        """Return one sentence, as for a log or a terminal."""
        if self.outcomes and not self.mirrored:
            return f"{self.cluster}: {NOTHING_MIRRORED}"
        if self.dry_run:
            return f"{self.cluster}: {_changes(self)}; {_foreseen(self)}"
        counts = [f"{_count(self.outcomes, kind)} {kind}s ({_states(self, kind)})" for kind in Kind]
        late = f", {self.late} of them twice" if self.late else ""
        return f"{self.cluster}: {', '.join(counts)}; {self.sent} bytes sent{late}{_costs(self)}"

    @property
    def mirrored(self) -> tuple[Outcome, ...]:
        """The assets that nodes download from the mirror."""
        return tuple(x for x in self.outcomes if x.state is not State.NOT_MIRRORED)

    @property
    def sent(self) -> int:
        """Bytes that were sent to the targets."""
        return sum(x.cost.sent for x in self.outcomes)

    @property
    def late(self) -> int:
        """Bytes among those sent that were sent for another image as well."""
        return sum(x.cost.late for x in self.outcomes)

    @property
    def requests(self) -> int | None:
        """Requests to sources and targets, as far as they were counted; None if none were."""
        known = [x.cost.requests for x in self.outcomes if x.cost.requests is not None]
        return sum(known) if known else None

    @property
    def retries(self) -> int:
        """Tries after one that failed."""
        return sum(x.cost.retries for x in self.outcomes)

    @property
    def expected_bytes(self) -> int:
        """Bytes that the copies were foreseen to send, at most."""
        return sum(x.estimate.expected_bytes or 0 for x in self.outcomes)

    @property
    def expected_requests(self) -> int:
        """Requests that the copies were foreseen to take, as far as that could be known."""
        return sum(x.estimate.expected_requests or 0 for x in self.outcomes)

    @property
    def copy_requests(self) -> int:
        """Requests that those copies did take."""
        known = (x for x in self.outcomes if x.estimate.expected_requests is not None)
        return sum(x.cost.requests or 0 for x in known)

    @property
    def saved(self) -> int:
        """Bytes of platforms that are not copied, in a dry run."""
        return sum(x.estimate.saved for x in self.outcomes)

    def changes(self) -> dict[str, int]:
        """Return how many assets differed in which way before the run."""
        return dict(Counter(str(x.change) for x in self.outcomes if x.change))

    def counts(self) -> dict[str, int]:
        """Return how many assets are in each state."""
        return dict(Counter(str(x.state) for x in self.outcomes))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: what is read again, and sums for people."""
        values = {
            "cluster": self.cluster,
            "ready": self.ready,
            "counts": self.counts(),
            "sent": self.sent,
            "late": self.late,
            "requests": self.requests,
            "retries": self.retries,
            "dry_run": self.dry_run,
            "changes": self.changes(),
            "expected_bytes": self.expected_bytes,
            "expected_requests": self.expected_requests,
            "copy_requests": self.copy_requests,
            "saved": self.saved,
            "assets": [x.to_dict() for x in self.outcomes],
        }
        return with_schema(values)

    @classmethod
    def from_dict(cls, values: object, where: str = "report") -> Report:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(_REPORT, values, where)

    def to_table(self) -> str:
        """Return a table for a log: what is wrong stands last, where the eye falls first."""
        if self.dry_run:
            return dry_run_table(self.outcomes)
        return results_table(self.outcomes)

    def raise_for_missing(self) -> None:
        """Raise MissingAssetsError if anything is missing; the message names the first few."""
        if self.missing:
            names = first_of([x.canonical for x in self.missing])
            raise MissingAssetsError(
                f"{self.cluster}: {len(self.missing)} of {len(self.outcomes)} assets are not at "
                f"the target: {names}. Clear what failed, with its downstream, to try again"
            )


_REPORT: Check[Report] = versioned(
    fields_of(
        Report,
        cluster=line(253),
        outcomes=under("assets", OUTCOMES),
        dry_run=flag,
    )
)


def first_of(names: Sequence[str], most: int = 5) -> str:
    """Return the first few names, and how many more there are: an error's message is a sentence."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """
    What a report that is kept says of its run.

    :param kops_version: what the list was computed for.
    :param when: the run ended, ISO 8601 in UTC.
    :param seconds: that it took, if known.
    """

    run: str
    kops_version: str
    when: str = field(default_factory=now)
    seconds: float | None = None


def _count(outcomes: Iterable[Outcome], kind: Kind) -> int:
    return sum(x.kind is kind for x in outcomes)


def _states(report: Report, kind: Kind) -> str:
    counts = Counter(x.state for x in report.outcomes if x.kind is kind)
    return ", ".join(f"{counts[state]} {state}" for state in State if counts[state]) or "none"


def _costs(report: Report) -> str:
    retries = f", {report.retries} {'retry' if report.retries == 1 else 'retries'}"
    if report.requests is None:
        return retries if report.retries else ""
    requests = f", {report.requests} {'request' if report.requests == 1 else 'requests'}"
    return f"{requests}{retries}{_compared(report)}"


def _compared(report: Report) -> str:
    """Return what was foreseen of the copies beside what they took."""
    if not report.expected_requests:
        return ""
    foreseen = f"{report.expected_bytes} bytes in {report.expected_requests} requests"
    return f"; foreseen of copies {foreseen}, took {report.sent} in {report.copy_requests}"


def _changes(report: Report) -> str:
    found = [f"{n} {x}" for x in Change if (n := report.changes().get(x))]
    unknown = sum(x.change is None for x in report.outcomes)
    return ", ".join([*found, *([f"{unknown} that could not be asked about"] if unknown else [])])


def _foreseen(report: Report) -> str:
    unsized = sum(
        x.estimate.expected_bytes is None
        for x in report.outcomes
        if x.change in (Change.ADDED, Change.DAMAGED)
    )
    more = f" and {unsized} assets of unknown size" if unsized else ""
    saved = f"; the platforms that are left out save {report.saved} bytes" if report.saved else ""
    costs = f"{report.expected_bytes} bytes{more}, in {report.expected_requests} requests"
    return f"a copy would send at most {costs}{saved}"
