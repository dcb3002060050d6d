"""What a proxy counts for tests that kill a copy: the bytes of its two phases, and where to end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass
class KillWire:
    """
    Counts bytes, in both directions, in a first phase and in a second one.

    :param phase: where to end, after ``end`` bytes of it; nowhere without.
    """

    first: ClassVar[str]
    second: ClassVar[str]

    phase: str | None = None
    end: int = 0
    passed: dict = field(init=False)
    now: str = field(init=False)
    is_cut: bool = False

    def __post_init__(self):
        self.passed = {self.first: 0, self.second: 0}
        self.now = self.first

    def begins_second(self, data):
        """Tell whether what the client sends begins the second phase."""
        raise NotImplementedError

    def __call__(self, data, from_client):
        if self.is_cut:
            return 0
        if from_client and self.begins_second(data):
            self.now = self.second
        self.passed[self.now] += len(data)
        if self.now != self.phase or self.passed[self.now] < self.end:
            return None
        self.is_cut = True
        return len(data) - (self.passed[self.now] - self.end)
