"""Images and files that the user adds to a list; they are remapped like all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from kops_assets_provider.exceptions import InvalidInputError, InvalidReferenceError
from kops_assets_provider.files.verify import is_sha256
from kops_assets_provider.http.urls import redact
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.remap import Locations, canonical_url, remap_file, remap_image


def with_images(assets: ClusterAssets, names: Sequence[str], locations: Locations) -> ClusterAssets:
    """Return the list with more images, each once; raises InvalidInputError, with all problems."""
    from kops_assets_provider.oci.reference import Reference

    problems = []
    for name in names:
        try:
            Reference.parse(name)
        except InvalidReferenceError as err:
            problems.append(str(err))
    if problems:
        raise InvalidInputError("extra images", problems)
    images = {x: ImageAsset(canonical=x, download=remap_image(x, locations)) for x in names}
    images |= {x.canonical: x for x in assets.images}
    return ClusterAssets(images=tuple(images[x] for x in sorted(images)), files=assets.files)


def with_files(
    assets: ClusterAssets, shas: Mapping[str, str | None], locations: Locations
) -> ClusterAssets:
    """
    Return the list with more files, each once.

    :param shas: URL to the SHA-256, None for one that stands beside the file.
    :raises InvalidInputError: with all problems.
    """
    files = {x.url: x for x in assets.files}
    problems = []
    for url, sha in shas.items():
        try:
            canonical = _checked(url, sha)
        except ValueError as err:
            problems.append(f"{redact(url)!r}: {err}")
        else:
            listed = files.get(canonical)
            download = remap_file(canonical, locations)
            if listed and listed.sha and sha and listed.sha != sha:
                problems.append(f"{redact(url)!r}: its hash is {listed.sha} in the list, not {sha}")
            elif not (listed and listed.sha):
                files[canonical] = FileAsset(
                    canonical=canonical, download=download, sha=sha or None
                )
    if problems:
        raise InvalidInputError("extra files", problems)
    return ClusterAssets(images=assets.images, files=tuple(files[x] for x in sorted(files)))


def _checked(url: str, sha: str | None) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("expected an http(s) URL")
    if "@" in urlsplit(url).netloc:
        raise ValueError("it has a user or password, which whoever sees the list would see")
    if sha and not is_sha256(sha):
        raise ValueError("its hash is no SHA-256 in lower-case hex")
    return canonical_url(url)
