"""Prefixes of names and URLs, and what to put in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset

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


def source_urls(files: Iterable[FileAsset], rewrites: Mapping[str, str]) -> Callable[[str], str]:
    """
    Return what gives the URL to fetch for a canonical one.

    A file's own query goes with it, unless ``rewrites`` has another place for exactly this file.
    """
    own = {x.canonical: rewrite(x.url, rewrites) for x in files if x.canonical not in rewrites}
    return lambda name: own.get(name) or rewrite(name, rewrites)


def refuse_lost_queries(assets: ClusterAssets, rewrites: Mapping[str, str]) -> None:
    """
    Refuse files that only this process can fetch: it alone knows the queries of their URLs.

    In Airflow the copies are other processes, and what they are told stands in XCom, where a
    signature must not be.

    :raises InvalidInputError: naming them, and ``source_rewrites`` as the way.
    """
    problems = [
        f"{x.canonical}: its URL has a query, which may be a credential and would be seen in XCom; "
        f"list it without, and give the whole URL as the value of {x.canonical!r} in "
        "source_rewrites"
        for x in assets.files
        if x.query and x.canonical not in rewrites and x.canonical != x.download
    ]
    if problems:
        raise InvalidInputError("asset list", problems)


def has_prefix(name: str, prefix: str) -> bool:
    """Tell whether ``name`` begins with ``prefix``, and a part of it ends there."""
    rest = name[len(prefix) :]
    ends = not rest or prefix.endswith("/") or rest.startswith(_BOUNDARIES)
    return name.startswith(prefix) and ends
