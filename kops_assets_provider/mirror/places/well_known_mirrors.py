"""
List the URLs that a file can be fetched from: kOps publishes its own binaries on GitHub as well.

Rule: ``wellKnownMirrors`` in ``pkg/assets/mirrors.go``, kOps v1.36.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_KOPS_BINARY = re.compile(r"https://artifacts\.k8s\.io/binaries/kops/([^/]+)/linux/([^/]+)/([^/]+)")
_RELEASES = "https://github.com/kubernetes/kops/releases/download"


def file_sources(canonical: str, rewrite: Callable[[str], str]) -> tuple[str, ...]:
    """
    Return the URLs to fetch a file from, in the order in which they are tried.

    Who says where a file is really fetched wants it from nowhere else: beside a rewritten URL there
    is another one only if that is rewritten, too.

    :param rewrite: canonical URL to the URL to read instead.
    """
    first = rewrite(canonical)
    others = [(x, rewrite(x)) for x in _mirrors(canonical)]
    return (first, *(new for old, new in others if new != old or first == canonical))


def _mirrors(canonical: str) -> list[str]:
    match = _KOPS_BINARY.fullmatch(canonical)
    if not match:
        return []
    version, arch, name = match.groups()
    # GitHub knows no folders in a release: kOps flattens the names.
    return [f"{_RELEASES}/v{version}/{name}-linux-{arch}"]
