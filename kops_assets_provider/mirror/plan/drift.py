"""Find assets whose source has changed under the same name (drift), and apply ``on_drift``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from kops_assets_provider.exceptions import DriftedError, Side
from kops_assets_provider.mirror.model.asset import Change
from kops_assets_provider.mirror.model.outcome import Facts

if TYPE_CHECKING:
    from kops_assets_provider.mirror.record.record import AssetRecord

_TO_DO = "nothing is overwritten unless on_drift says so: take what the source has now, or keep it"


class OnDrift(StrEnum):
    """
    What is to become of a drifted asset: it fails, an image is kept as it is, or it is copied.

    A file cannot be kept: nodes check its hash, so that an old one is of no use to them.
    """

    FAIL = "fail"
    KEEP = "keep"
    TAKE = "take"


def image_change(there: str | None, source: str, known: AssetRecord | None) -> Change:
    """
    Tell how an image that must be copied differs.

    :param there: digest of what the target has instead, if anything.
    :param source: digest of what the source has; of all its platforms.
    :param known: what the record knows of it.
    """
    if there is None:
        return Change.DAMAGED if known and known.facts.content else Change.ADDED
    if there == source:
        return Change.ADDED  # the target has all platforms of it, and some are wanted
    if known is None or source not in (known.facts.source, known.facts.content):
        return Change.DRIFTED
    # What is there is what was copied: other platforms of it are wanted by now.
    return Change.ADDED if known.facts.content == there else Change.DAMAGED


def file_change(sha: str, known: AssetRecord | None, *, is_there: bool, is_read: bool) -> Change:
    """
    Tell how a file that must be copied differs.

    :param sha: what it should be.
    :param known: what the record knows of it.
    :param is_there: the target has something under its name, and ``is_read`` if that is known not
        to be the right file.
    """
    known_sha = known.facts.content if known else None
    if not is_there:
        return Change.DAMAGED if known_sha else Change.ADDED
    if known_sha not in (None, sha):
        return Change.DRIFTED
    return Change.DAMAGED if is_read else Change.UNREAD


def drifted(canonical: str, source: str, there: str, known: AssetRecord | None) -> DriftedError:
    """
    Return the error for an asset that must not be overwritten.

    :param source: digest or sha that the source has now, and ``there`` that of the target.
    """
    before = known.facts if known else Facts()
    if before.content is None:
        past = "and no record tells which of them is the older one"
    elif before.content == there:
        past = f"verified {before.verified_at}"
    else:
        verified = f"{before.content}, which was verified {before.verified_at}"
        past = f"and not {verified}: both have changed"
    message = f"{canonical}: it is {source} now, and the target has {there}, {past}; {_TO_DO}"
    return DriftedError(message, side=Side.SOURCE)
