"""
Which scopes to ask one token for.

A token may be good for many repositories (https://distribution.github.io/distribution/spec/auth/
token/#requesting-a-token), so whoever knows that it will speak about many asks once. Not all token
servers take part: one that grants less than it was asked for is told by the registry's refusal, and
is then asked for one scope at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

_MOST = 40  # scopes in one request: they all stand in its URL
_PATIENCE = 3  # refusals after which a token server is not asked for several any more


class Scopes:
    """Groups scopes, ``repository:<name>:<rights>`` each; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: list[frozenset[str]] = []
        self._alone: set[frozenset[str]] = set()

    def expect(self, scopes: Iterable[str]) -> None:
        """Be ready for these; those that are expected already stay with their group."""
        with self._lock:
            new = sorted({x for x in scopes if not any(_covers(g, x) for g in self._groups)})
            self._groups += [
                frozenset(new[start : start + _MOST]) for start in range(0, len(new), _MOST)
            ]

    def group(self, scope: str) -> frozenset[str]:
        """Return what to ask a token for that ``scope``, or several with blanks, need."""
        needed = frozenset(scope.split())
        with self._lock:
            if needed in self._alone or len(self._alone) >= _PATIENCE:
                return needed
            for group in self._groups:
                if all(_covers(group, x) for x in needed):
                    return group
        return needed

    def is_shared(self, scope: str) -> bool:
        """Tell whether a token for ``scope`` is asked for together with others."""
        return self.group(scope) != frozenset(scope.split())

    def refuse(self, scope: str) -> None:
        """Learn that a token for ``scope``'s group was not good for it."""
        if self.is_shared(scope):
            with self._lock:
                self._alone.add(frozenset(scope.split()))


def _covers(group: frozenset[str], scope: str) -> bool:
    name, _, rights = scope.rpartition(":")
    wanted = set(rights.split(","))
    return any(
        granted.rpartition(":")[0] == name and wanted <= set(granted.rpartition(":")[2].split(","))
        for granted in group
    )
