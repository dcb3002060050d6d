"""The user's rules for images: platforms, immutable tags, pull-through caches, drift."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.mirror.model.times import Freshness
from kops_assets_provider.mirror.places.rewrites import has_prefix
from kops_assets_provider.mirror.plan.drift import OnDrift
from kops_assets_provider.mirror.record.record import AssetRecord
from kops_assets_provider.oci.reference import Reference

_MOST_DAYS = 1e6  # what Python can subtract from a date, and nobody waits for
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9_]+(?:/[a-z0-9.]+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRules:
    """
    What to copy of images, and what need not be asked.

    :param platforms: ``os/architecture[/variant]``; all if empty.
    :param immutable_tags: beginnings of canonical names whose tags never move: what the target has
        under such a tag is right.
    :param warm: hosts of registries that are pull-through caches: they are read through, and not
        written to.
    :param warm_days: after which an image is read again, since a cache may have dropped it.
    :param on_drift: what is to become of an image whose tag has moved at the source.
    :raises InvalidInputError: one of the platforms is none, such as ``amd64`` without ``linux/``.
    """

    platforms: tuple[str, ...] = ()
    immutable_tags: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    warm_days: float = 7.0
    on_drift: OnDrift = OnDrift.FAIL

    def __post_init__(self) -> None:
        problems = [
            f"platforms: {x!r} is none; expected one like linux/amd64"
            for x in self.platforms
            if not _PLATFORM.fullmatch(x)
        ]
        problems += [
            f"warm: {x!r} is no host, as it stands at the beginning of an image's name"
            for x in self.warm
            if not x or "/" in x
        ]
        if not 0 <= self.warm_days < _MOST_DAYS:
            problems.append(f"warm_days: expected days, got {self.warm_days}")
        if problems:
            raise InvalidInputError("images", problems)

    def check_caches(self, downloads: Iterable[str]) -> None:
        """Raise InvalidInputError if no image is downloaded through one of the caches."""
        hosts = {x.partition("/")[0] for x in downloads} if self.warm else set()
        unknown = sorted(set(self.warm) - hosts)
        if unknown:
            here = ", ".join(sorted(hosts)) or "none"
            problem = f"no image is downloaded from {', '.join(unknown)}; the hosts are {here}"
            raise InvalidInputError("warm", [problem])

    def is_immutable(self, canonical: str) -> bool:
        """Tell whether the tag of an image never moves."""
        return any(has_prefix(canonical, x) for x in self.immutable_tags)

    def is_cache(self, reference: Reference) -> bool:
        """Tell whether an image is downloaded through a pull-through cache."""
        return reference.registry in self.warm

    def is_warm(self, known: AssetRecord | None, digest: str) -> bool:
        """Tell whether an image was read through its cache not too long ago."""
        if known is None or known.state.is_bad or known.facts.source != digest:
            return False
        if known.facts.warmed is None or tuple(known.facts.warmed) != self.platforms:
            return False
        fresh = Freshness(within=timedelta(days=self.warm_days), at=datetime.now(UTC))
        return fresh.covers(known.facts.verified_at)


ALL = ImageRules()
"""Everything, and nothing is believed."""
