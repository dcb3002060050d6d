"""
Where nodes download an asset from: canonical name or URL in, download name or URL out.

The rules are those of ``pkg/assets/builder.go`` (kOps v1.36.2; the same since v1.34), oddities
included: a mirror that we fill and a cluster that kOps builds have to agree on every name.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_KUBERNETES_REGISTRY = "registry.k8s.io/"
# What Go leaves alone in a path, when it encodes one, and what it accepts as encoded already.
_GO_SAFE = "/$&+,:;=@-_.~"
_GO_VALID = re.compile(r"(?:[A-Za-z0-9/$&+,:;=@_.~!'()*\[\]-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_BROKEN = re.compile(r"[\x00-\x20\x7f]|%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """The cluster's ``spec.assets``: at most one of registry and proxy, and a file repository."""

    container_registry: str | None = None
    container_proxy: str | None = None
    file_repository: str | None = None


def remap_image(canonical: str, locations: Locations) -> str:
    """Return the image that nodes pull (``NormalizeImage``)."""
    if locations.container_proxy is not None:
        return _through_proxy(canonical, locations.container_proxy.removesuffix("/"))
    if locations.container_registry is not None:
        return _into_registry(canonical, locations.container_registry)
    return canonical


def _through_proxy(image: str, proxy: str) -> str:
    first, slash, rest = image.partition("/")
    # A Docker Hub name has no host to replace. "alpine:3" counts as a host: kOps lists the bare
    # proxy for it, and so do we.
    if image.count("/") <= 1 and not set(first) & set(".:"):
        return f"{proxy}/{image}"
    return f"{proxy}{slash}{rest}"


def _into_registry(image: str, registry: str) -> str:
    name = image.removeprefix(_KUBERNETES_REGISTRY)
    if name.startswith(registry + "/"):
        return name
    # kOps does not count on registries to nest, so the path becomes one name.
    return f"{registry}/{name.replace('/', '-')}"


def remap_file(canonical: str, locations: Locations) -> str:
    """Return the URL that nodes fetch (``RemapFile``): same path, below the file repository."""
    if locations.file_repository is None:
        return canonical
    source, target = urlsplit(canonical), urlsplit(locations.file_repository)
    if _host(source.netloc) == _host(target.netloc):
        return canonical
    path = _join(unquote(target.path), unquote(source.path))
    return urlunsplit(target._replace(path=quote(path, safe=_GO_SAFE)))


def canonical_url(url: str) -> str:
    """
    Return a user's URL as Go prints it after parsing, the form that kOps lists.

    :raises ValueError: it is no absolute URL
    """
    if _BROKEN.search(url):
        raise ValueError("it has blanks, control characters or a broken %-escape")
    parts = urlsplit(url)
    if not (parts.scheme and parts.netloc):
        raise ValueError("it has no scheme or no host")
    path = parts.path
    if not _GO_VALID.fullmatch(path):
        path = quote(unquote(path), safe=_GO_SAFE)
    return urlunsplit(parts._replace(path=path))


def join_url(base: str, path: str) -> str:
    """Return the URL of ``path`` below ``base``, cleaned as Go's ``path.Join`` does."""
    parts = urlsplit(base)
    joined = _join(unquote(parts.path), path)
    return urlunsplit(parts._replace(path=quote(joined, safe=_GO_SAFE)))


def _join(*parts: str) -> str:
    path = posixpath.normpath("/".join(("", *parts)))
    return "/" + path.lstrip("/")


def _host(netloc: str) -> str:
    return netloc.rpartition("@")[2]
