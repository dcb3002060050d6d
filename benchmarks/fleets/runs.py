"""What is known of a run besides its cost: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measuring.runs import Run

FLEET, ONE_BY_ONE = "fleet", "one by one"
WAYS = (FLEET, ONE_BY_ONE)


@dataclass(frozen=True, slots=True)
class FleetRun(Run):
    """
    All clusters planned once.

    :param assets: how many distinct ones they have.
    :param at_source: requests there; ``at_target`` and ``at_store`` likewise.
    :param seconds: wall time of each operator, of all its runs.
    :param list_bytes: of all lists, as they are handed to the plans.
    """

    assets: int
    at_source: int
    at_target: int
    at_store: int
    seconds: Mapping[str, float]
    list_bytes: int

    @property
    def requests(self) -> int:
        """The requests to all servers."""
        return self.at_source + self.at_target + self.at_store

    @property
    def per_asset(self) -> float:
        """The requests for each distinct asset."""
        return self.requests / self.assets
