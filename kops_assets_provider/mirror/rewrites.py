"""Prefixes of names and URLs, and what to put in their place."""

from __future__ import annotations

from collections.abc import Mapping

_BOUNDARIES = ("/", ":", "@", "?")


def rewrite(name: str, rewrites: Mapping[str, str]) -> str:
    """
    Replace the longest prefix of ``name`` that ``rewrites`` knows.

    A prefix ends where a part of the name ends: ``quay.io`` is none of ``quay.io.example.com/app``.
    """
    for prefix in sorted(rewrites, key=len, reverse=True):
        if has_prefix(name, prefix):
            return rewrites[prefix] + name[len(prefix) :]
    return name


def has_prefix(name: str, prefix: str) -> bool:
    """Tell whether ``name`` begins with ``prefix``, and a part of it ends there."""
    rest = name[len(prefix) :]
    ends = not rest or prefix.endswith("/") or rest.startswith(_BOUNDARIES)
    return name.startswith(prefix) and ends
