"""Why an asset is not at the target, and what somebody can do about it."""

from __future__ import annotations

from kops_assets_provider import exceptions
from kops_assets_provider.exceptions import TransientError
from kops_assets_provider.mirror.changes import Change
from kops_assets_provider.mirror.outcome import Download, Outcome, State

_AGAIN = "clear the failed task with what is downstream of it, or run kops-assets copy"
_ADVICE = {
    "AccessDeniedError": "Give the credentials for the {side} the right to do this",
    "NotFoundError": "See whether the name is right, and whether the {side} still has it",
    "ChecksumMismatchError": "Find out whether the bytes or the expected hash are right",
    "ConflictingTargetsError": "Let no two assets have the same place at the target",
    "RateLimitedError": "Wait, or give the {side} a login with a higher limit",
    "NoPlan": "Mend what the log names",
    "NoResult": "Mend what the log names",
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
    if outcome.error:
        return f"{outcome.error.get('type', 'Error')}: {outcome.error.get('message', '')}"
    if outcome.state is State.MISSING:
        return "It is not at the target."
    if outcome.drift and outcome.change == Change.DRIFTED:
        return f"The source has {outcome.drift} under this name by now; what is here is kept."
    if outcome.drift:
        return f"The source's tag has come to stand for {outcome.drift} since it was planned."
    return ""


def advice(outcome: Outcome) -> str:
    """Return what to do about an asset that is missing, wrong or failed."""
    if outcome.download_state in (Download.NOT_THERE, Download.WRONG):
        return _DOWNLOAD
    if outcome.state in (State.MISSING, State.WRONG):
        return "Copy it: run the DAG, or kops-assets copy."
    error = outcome.error or {}
    name = str(error.get("type"))
    if name == "DriftedError":
        return _DRIFT
    wanted = _ADVICE.get(name) or (_TRANSIENT if _is_transient(name) else _OTHER)
    side = str(error.get("side") or "source or target")
    return f"{wanted.format(side=side)}. Then {_AGAIN}."


def _is_transient(name: str) -> bool:
    # Of an error that has come through XCom only its name is left.
    found = getattr(exceptions, name, None)
    return isinstance(found, type) and issubclass(found, TransientError)
