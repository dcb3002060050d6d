"""
The values that all of ``mirror`` speaks about: which asset, how it stands, what went wrong.

Values only: nothing here asks a server or reads a document.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from kops_assets_provider.exceptions import KopsAssetsError, Side
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.model.json_reader import (
    NAME,
    Check,
    fields_of,
    line,
    one_of,
    optional,
    part,
    read_value,
    under,
)
from kops_assets_provider.mirror.model.json_reader import words as text
from kops_assets_provider.mirror.model.schema import versioned, with_schema


class Kind(StrEnum):
    """Container image or file."""

    IMAGE = "image"
    FILE = "file"


class Name(NamedTuple):
    """What an asset is known by: in a fleet one canonical name may have several targets."""

    kind: Kind
    canonical: str
    download: str


def name_of(asset: ImageAsset | FileAsset) -> Name:
    """Return the name of an asset of a list."""
    kind = Kind.IMAGE if isinstance(asset, ImageAsset) else Kind.FILE
    return Name(kind=kind, canonical=asset.canonical, download=asset.download)


class State(StrEnum):
    """
    How an asset stands at the target. A *warmed* one was read through a pull-through cache.

    Nodes download a *not mirrored* asset from upstream, since ``spec.assets`` does not move it; it
    is neither copied nor missing. A *wrong* one is at the target, but with other content. A check
    finds *missing* and *wrong*; a copy ends such a state, or *failed*.
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


class Change(StrEnum):
    """
    How source and target of an asset differ.

    A *drifted* one has other content at the source under the same name. A *damaged* one was
    verified at the target, and has changed there or is gone. An *unread* one is at the target, and
    its content is unknown until it is read.
    """

    ADDED = "added"
    SAME = "same"
    DRIFTED = "drifted"
    DAMAGED = "damaged"
    UNREAD = "unread"
    NOT_MIRRORED = "not mirrored"


class Download(StrEnum):
    """The answer of a file's download URL to a client without credentials, as nodes are."""

    READABLE = "readable"
    NOT_THERE = "not there"
    WRONG = "wrong length"
    UNKNOWN = "unknown from here"

    @property
    def is_bad(self) -> bool:
        """Whether nodes do not get the file."""
        return self in (Download.NOT_THERE, Download.WRONG)


class ProblemKind(StrEnum):
    """The kinds of problems: our errors by their names, and states that raise no error."""

    INVALID_INPUT = "InvalidInputError"
    INVALID_CLUSTER = "InvalidClusterError"
    INVALID_REFERENCE = "InvalidReferenceError"
    INVALID_CATALOG = "InvalidCatalogError"
    UNKNOWN_RELEASE = "UnknownReleaseError"
    UNSUPPORTED_KUBERNETES = "UnsupportedKubernetesError"
    UNSUPPORTED_TARGET = "UnsupportedTargetError"
    CONFLICTING_TARGETS = "ConflictingTargetsError"
    DRIFTED = "DriftedError"
    INVALID_MANIFEST = "InvalidManifestError"
    UNTRUSTED_SERVER = "UntrustedServerError"
    CHECKSUM_MISMATCH = "ChecksumMismatchError"
    ACCESS_DENIED = "AccessDeniedError"
    NOT_FOUND = "NotFoundError"
    REQUEST_REJECTED = "RequestRejectedError"
    BLOB_UNKNOWN = "BlobUnknownError"
    MISSING_ASSETS = "MissingAssetsError"
    STOPPED = "StoppedError"
    CONNECTION_FAILED = "ConnectionFailedError"
    SOURCE_CHANGED = "SourceChangedError"
    RATE_LIMITED = "RateLimitedError"
    SERVER_FAILED = "ServerFailedError"
    PERMANENT = "PermanentError"
    TRANSIENT = "TransientError"
    UNEXPECTED = "UnexpectedError"  # an error that is not ours
    WRONG_FILE = "WrongFile"  # a check found another file, or a wrong side-car
    WRONG_IMAGE = "WrongImage"  # a check found another image
    NOT_WARM = "NotWarm"  # a pull-through cache need not have the image
    NOT_READABLE = "NotReadable"  # the download URL does not give nodes the file
    NO_PLAN = "NoPlan"  # the plan of the run failed
    NO_RESULT = "NoResult"  # the copy task ended without a result


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    Why an asset is not as it should be, as it may be published.

    :param message: a sentence without secrets.
    :param side: whose fault it is, if known.
    """

    kind: ProblemKind
    message: str
    side: Side | None = None

    @classmethod
    def of(cls, error: BaseException) -> Problem:
        """
        Return the problem that an error is.

        The message of an error that is not ours may hold anything, so only its type is published.
        """
        if isinstance(error, KopsAssetsError):
            return cls(kind=_kind_of(error), message=str(error), side=error.side)
        message = f"unexpected {type(error).__name__}; the log has it"
        return cls(kind=ProblemKind.UNEXPECTED, message=message)

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        side = self.side and str(self.side)
        return {"type": str(self.kind), "message": self.message, "side": side}


def _kind_of(error: KopsAssetsError) -> ProblemKind:
    # A class that has no kind, such as one of our test servers', is what its base is.
    names = (x.__name__ for x in type(error).__mro__)
    return next((ProblemKind(x) for x in names if x in set(ProblemKind)), ProblemKind.UNEXPECTED)


problem: Check[Problem] = fields_of(
    Problem,
    kind=under("type", one_of(ProblemKind)),
    message=text,
    side=optional(one_of(Side)),
)
"""Check a problem: what ``Problem.to_dict`` wrote."""

asset_name: Check[Name] = fields_of(
    Name, kind=one_of(Kind), canonical=line(NAME), download=line(NAME)
)
"""Check the name of an asset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanError:
    """Why all assets of one kind could not be planned."""

    kind: Kind
    problem: Problem

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values in one level."""
        return with_schema({"kind": str(self.kind), **self.problem.to_dict()})

    @classmethod
    def from_dict(cls, values: object, where: str = "plan error") -> PlanError:
        """Read what ``to_dict`` wrote; raises InvalidInputError with the value that is wrong."""
        return read_value(plan_error, values, where)


plan_error: Check[PlanError] = versioned(
    fields_of(PlanError, kind=one_of(Kind), problem=part(problem))
)
"""Check a plan's error: what ``PlanError.to_dict`` wrote."""


def now() -> str:
    """Return the time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
