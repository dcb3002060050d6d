"""
Read a mirror as a cluster's nodes do, and check every byte: by plain HTTP, with nothing of our own.

This module must not import what it checks: no engine, no client, no list of this package.
"""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


def wrong_assets(
    assets: Mapping[str, Iterable[Mapping[str, str]]],
    digests: Mapping[str, str],
    login: tuple[str, str] | None = None,
) -> list[str]:
    """
    Return what is wrong with a mirror, a sentence for each asset; nothing if it is whole.

    :param assets: the list, as ``kops get assets -o json`` prints it.
    :param digests: canonical name of each image to the digest that it must have.
    :param login: user and password of the registry, if nodes need them there.
    """
    headers = {"Accept": _ACCEPT}
    if login:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
    with ThreadPoolExecutor(8) as pool:
        images = pool.map(
            lambda x: _try(_check_image, x, digests[x["canonical"]], headers), assets["images"]
        )
        files = pool.map(lambda x: _try(_check_file, x), assets["files"])
        return [x for x in (*images, *files) if x]


def _try(check: Any, asset: Mapping[str, str], *details: Any) -> str | None:
    try:
        check(asset, *details)
    except (OSError, ValueError, KeyError) as err:
        return f"{asset['download']}: {err}"
    return None


def _check_image(asset: Mapping[str, str], digest: str, headers: Mapping[str, str]) -> None:
    name, _, tag = asset["download"].rpartition(":")
    host, _, repository = name.partition("/")
    base = f"http://{host}/v2/{repository}"
    _check_manifest(base, tag, digest, headers)


def _check_manifest(base: str, reference: str, digest: str, headers: Mapping[str, str]) -> None:
    document = json.loads(_checked(f"{base}/manifests/{reference}", digest, headers))
    for child in document.get("manifests", ()):
        _check_manifest(base, child["digest"], child["digest"], headers)
    for blob in (document.get("config"), *document.get("layers", ())):
        if blob:
            _checked(f"{base}/blobs/{blob['digest']}", blob["digest"], headers)


def _checked(url: str, digest: str, headers: Mapping[str, str]) -> bytes:
    raw = _get(url, headers)
    _compare(url, f"sha256:{hashlib.sha256(raw).hexdigest()}", digest)
    return raw


def _check_file(asset: Mapping[str, str]) -> None:
    url = asset["download"]
    _compare(url, hashlib.sha256(_get(url)).hexdigest(), asset["sha"])
    _compare(f"{url}.sha256", _get(f"{url}.sha256").decode(), asset["sha"])


def _get(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, headers=dict(headers or {}))
    with urllib.request.urlopen(request, timeout=60) as response:
        raw: bytes = response.read()
        return raw


def _compare(url: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise ValueError(f"{url} has {actual}, expected {expected}")
