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
        if name.startswith(prefix):
            rest = name[len(prefix) :]
            if not rest or prefix.endswith("/") or rest.startswith(_BOUNDARIES):
                return rewrites[prefix] + rest
    return name
