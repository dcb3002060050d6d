"""What must be copied: the target is asked about every asset, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from kops_assets_provider.exceptions import (
    DriftedError,
    KopsAssetsError,
    Side,
    TransientError,
)
from kops_assets_provider.http.retries import Retries
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import Change, Problem, State, name_of
from kops_assets_provider.mirror.model.outcome import Outcome, failed
from kops_assets_provider.threads import Threads

_Asset = TypeVar("_Asset", ImageAsset, FileAsset)
_Planned = TypeVar("_Planned")

# For what is read before a copy: short, since many assets are asked about at a time.
PATIENT = Retries(attempts=3, first_wait_seconds=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToCopy(Generic[_Planned]):
    """An asset that must be copied: what its copy is told, and what is known ahead of that."""

    planned: _Planned
    ahead: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[_Planned]):
    """
    What is ``to_copy``, and the outcome of all others, which need nothing.

    :param ahead: what is known of each that is to be copied, in the same order: how it differs, and
        the bytes and requests that its copy will take.
    """

    to_copy: tuple[_Planned, ...]
    settled: tuple[Outcome, ...]
    ahead: tuple[Outcome, ...] = ()


def make_plan(
    assets: Sequence[_Asset],
    settle: Callable[[_Asset], Outcome | ToCopy[_Planned]],
    bare: Callable[[_Asset], _Planned],
    workers: int = 16,
) -> Plan[_Planned]:
    """
    Ask ``settle`` about every asset.

    An asset that cannot be asked about is left to its own copy task, which will say why: one bad
    asset must not stop the others. When none can be asked about, the place as a whole is at fault.

    :param settle: returns an outcome if nothing is to be done.
    :param bare: what the copy of an asset is told that could not be asked about.
    :raises KopsAssetsError: the target answered no question at all.
    """
    with Threads(workers, "plan") as threads:
        answers = threads.map(lambda asset: _ask(asset, settle), assets)
    failures = [x for x in answers if isinstance(x, Exception) and _is_of_target(x)]
    asked = [x for x in answers if not (isinstance(x, Outcome) and x.state is State.NOT_MIRRORED)]
    if failures and len(failures) == len(asked):
        # One that may pass is worth another try of the plan as a whole.
        raise min(failures, key=lambda err: not isinstance(err, TransientError))
    settled = tuple(x for x in answers if isinstance(x, Outcome))
    to_copy = [
        _unknown(asset, x, bare) if isinstance(x, Exception) else x
        for asset, x in zip(assets, answers, strict=True)
        if not isinstance(x, Outcome)
    ]
    return Plan(
        to_copy=tuple(x.planned for x in to_copy),
        settled=settled,
        ahead=tuple(x.ahead for x in to_copy),
    )


def _ask(
    asset: _Asset, settle: Callable[[_Asset], Outcome | ToCopy[_Planned]]
) -> Outcome | ToCopy[_Planned] | Exception:
    try:
        return settle(asset)
    except DriftedError as err:
        return replace(failed(name_of(asset), Problem.of(err)), change=Change.DRIFTED)
    except Exception as err:  # noqa: BLE001  # whatever it is, the asset's own task will tell it
        return err


def _unknown(
    asset: _Asset, error: Exception, bare: Callable[[_Asset], _Planned]
) -> ToCopy[_Planned]:
    return ToCopy(planned=bare(asset), ahead=failed(name_of(asset), Problem.of(error)))


def _is_of_target(error: Exception) -> bool:
    return not (isinstance(error, KopsAssetsError) and error.side is Side.SOURCE)
