"""Pull an image as a node would, by nothing that the package itself copies with."""

from __future__ import annotations

import json
import urllib.request
from urllib.error import HTTPError

from tests.support.images import Image, ImageKind, Manifest
from tests.support.registry.storage import digest_of

_ACCEPT = ", ".join(x.media_types[y] for x in ImageKind for y in ("index", "manifest"))


class BrokenImageError(Exception):
    """Something that an image names is not there, or is not what its digest says."""


def pull_image(base_url: str, repository: str, reference: str) -> Image | None:
    """
    Return an image with all that it names; None if there is no such tag.

    :raises BrokenImageError: it is not whole.
    """
    manifests: dict[str, Manifest] = {}
    blobs: dict[str, bytes] = {}
    url = f"{base_url}/v2/{repository}"
    found = _get(f"{url}/manifests/{reference}")
    if found is None:
        return None
    _walk(url, found, manifests, blobs)
    return Image(manifests, blobs)


def _walk(
    url: str, manifest: Manifest, manifests: dict[str, Manifest], blobs: dict[str, bytes]
) -> None:
    document = json.loads(manifest.data)
    for child in document.get("manifests", ()):
        _walk(url, _needed(url, "manifests", child["digest"]), manifests, blobs)
    for blob in [document["config"], *document["layers"]] if "layers" in document else ():
        data = _needed(url, "blobs", blob["digest"]).data
        if len(data) != blob["size"]:
            raise BrokenImageError(f"{blob['digest']} has {len(data)} bytes, not {blob['size']}")
        blobs[blob["digest"]] = data
    manifests[manifest.digest] = manifest


def _needed(url: str, kind: str, digest: str) -> Manifest:
    found = _get(f"{url}/{kind}/{digest}")
    if found is None:
        raise BrokenImageError(f"{url}: {digest} is not there")
    if digest_of(found.data) != digest:
        raise BrokenImageError(f"{url}: {digest} is {digest_of(found.data)}")
    return found


def _get(url: str) -> Manifest | None:
    try:
        request = urllib.request.Request(url, headers={"Accept": _ACCEPT})
        with urllib.request.urlopen(request) as response:
            return Manifest(response.headers.get("Content-Type", ""), response.read())
    except HTTPError as error:
        error.close()
        if error.code == 404:
            return None
        raise
