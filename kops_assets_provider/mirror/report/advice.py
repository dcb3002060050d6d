"""Why an asset is not at the target, and what somebody can do about it."""

from __future__ import annotations

from kops_assets_provider import exceptions
from kops_assets_provider.exceptions import TransientError
from kops_assets_provider.mirror.model.asset import Change, ProblemKind, State
from kops_assets_provider.mirror.model.outcome import Outcome

_AGAIN = "clear the failed task with what is downstream of it, or run kops-assets copy"
_ADVICE = {
    ProblemKind.ACCESS_DENIED: "Give the credentials for the {side} the right to do this",
    ProblemKind.NOT_FOUND: "See whether the name is right, and whether the {side} still has it",
    ProblemKind.CHECKSUM_MISMATCH: "Find out whether the bytes or the expected hash are right",
    ProblemKind.CONFLICTING_TARGETS: "Let no two assets have the same place at the target",
    ProblemKind.RATE_LIMITED: "Wait, or give the {side} a login with a higher limit",
    ProblemKind.NO_PLAN: "Mend what the log names",
    ProblemKind.NO_RESULT: "Mend what the log names",
}
_TRANSIENT = "Wait until the {side} is well again"
_OTHER = "Mend what the reason names"
_DRIFT = (
    "Find out why it has moved. Then run again with on_drift: take copies what the source has now, "
    "keep leaves an image as it is."
)
_DOWNLOAD = (
    "Let nodes read the download URL without credentials, and see that it leads to where the file "
    "is written: kops-assets check --check-downloads asks again."
)


def reason(outcome: Outcome) -> str:
    """Return why an asset is not as it should be, or what is doubtful about it; often nothing."""
    if outcome.problem:
        return str(outcome.problem)
    if outcome.state is State.MISSING:
        return "It is not at the target."
    drift = outcome.facts.drift
    if drift and outcome.change is Change.DRIFTED:
        return f"The source has {drift} under this name now; the mirror keeps what it has."
    if drift:
        return f"The source's tag has moved to {drift} since the image was planned."
    return ""


def advice(outcome: Outcome) -> str:
    """Return what to do about an asset that is missing, wrong or failed."""
    readable = outcome.facts.download_state
    if readable is not None and readable.is_bad:
        return _DOWNLOAD
    if outcome.state in (State.MISSING, State.WRONG):
        return "Copy it: run the DAG, or kops-assets copy."
    problem = outcome.problem
    kind = problem.kind if problem else ProblemKind.UNEXPECTED
    if kind is ProblemKind.DRIFTED:
        return _DRIFT
    wanted = _ADVICE.get(kind) or (_TRANSIENT if _is_transient(kind) else _OTHER)
    side = (problem and problem.side) or "source or target"
    return f"{wanted.format(side=side)}. Then {_AGAIN}."


def _is_transient(kind: ProblemKind) -> bool:
    # Of an error that has come through XCom only its name is left.
    found = getattr(exceptions, kind, None)
    return isinstance(found, type) and issubclass(found, TransientError)
