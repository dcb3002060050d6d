"""
The places that a run would write to, so that no two sources have the same one.

Different names may lead to one place: an image without a tag has the tag ``latest``, a URL's query
and the case of its host mean nothing to a bucket, two prefixes of ``file_targets`` may share a
directory. So names are compared as the places that a copy would write.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from kops_assets_provider.exceptions import (
    ConflictingTargetsError,
    InvalidReferenceError,
    KopsAssetsError,
)
from kops_assets_provider.files.targets import FileTarget, Scheme
from kops_assets_provider.files.verify import SIDECAR
from kops_assets_provider.http.urls import DEFAULT_PORTS, host_place, redact
from kops_assets_provider.kops.assets import FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import Name, Problem, name_of
from kops_assets_provider.mirror.model.outcome import Outcome, failed
from kops_assets_provider.oci.reference import Reference

_Asset = TypeVar("_Asset", ImageAsset, FileAsset)
Place = tuple[str, ...]
Locate = Callable[[str], FileTarget]
RegistryUrl = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """
    What a run would write to one place.

    :param place: equal for equal places, however they are spelled.
    :param content: equal for bytes that are known to be equal: a digest or hash where there is one,
        else the source's name.
    :param where: the place, for messages.
    :param what: the source, for messages.
    :param name: of the asset; None for a document of ours.
    """

    place: Place
    content: str
    where: str
    what: str
    name: Name | None = None


def image_writes(assets: Iterable[ImageAsset], registry_url: RegistryUrl) -> Iterator[Write]:
    """
    Yield what copies of images would write: their tags, or the digests of those without a tag.

    An image that nodes pull by digest has that digest, whatever its source: a copy verifies it. Any
    other is what its source has, or some platforms of that.

    :param registry_url: returns the base URL of the registry that a download name names; may raise
        KopsAssetsError.
    """
    for asset in assets:
        content = f"the image {_image_source(asset.canonical)}"
        place: Place = (asset.download,)
        where = asset.download
        with suppress(InvalidReferenceError):
            download = Reference.parse(asset.download)
            registry = _registry(download, asset.download, registry_url)
            place = registry, download.repository, download.push_as
            where = str(replace(download, digest=None) if download.tag else download)
            content = download.digest or content
        what = f"{asset.canonical} (as {asset.download})"
        yield Write(place=place, content=content, where=where, what=what, name=name_of(asset))


def _registry(download: Reference, text: str, registry_url: RegistryUrl) -> str:
    try:
        return _url_place(registry_url(text))
    except KopsAssetsError:
        return download.registry  # whatever is wrong, the image's own copy reports it


def _image_source(canonical: str) -> str:
    try:
        source = Reference.parse(canonical)
    except InvalidReferenceError:
        return canonical
    return source.digest or str(source)


def file_writes(assets: Iterable[FileAsset], locate: Locate) -> Iterator[Write]:
    """
    Yield what copies of files would write: the files, and their side-cars.

    :param locate: returns where a download URL is written; may raise KopsAssetsError.
    """
    for asset in assets:
        what = f"{_shown(asset.canonical)} (as {_shown(asset.download)}, sha256 {asset.sha})"
        sha = asset.sha or ""
        yield _file_write(asset, "", sha, what, locate)
        if asset.canonical != asset.download:
            text = hashlib.sha256(sha.encode()).hexdigest() if sha else ""
            yield _file_write(asset, SIDECAR, text, f"the side-car of {what}", locate)


def _file_write(asset: FileAsset, suffix: str, sha: str, what: str, locate: Locate) -> Write:
    content = sha or f"the file {asset.canonical}{suffix}"
    name = name_of(asset)
    try:
        target = locate(asset.download)
    except KopsAssetsError:  # nothing is written there: the file's own copy reports it
        url = _url_place(asset.download) + suffix
        return Write(
            place=("url", url),
            content=content,
            where=_shown(asset.download) + suffix,
            what=what,
            name=name,
        )
    target = replace(target, path=target.path + suffix)
    return Write(place=place_of(target), content=content, where=str(target), what=what, name=name)


def document_write(target: FileTarget, what: str) -> Write:
    """Return the write of a document of ours, such as the mirror's record."""
    return Write(place=place_of(target), content=what, where=str(target), what=what)


def place_of(target: FileTarget) -> Place:
    """Return what is equal for targets that are one place: links are followed in a directory."""
    if target.scheme is Scheme.FILE:
        return target.scheme, os.path.realpath(Path(target.root, target.path))
    return target.scheme, target.root, target.path


def split_conflicts(
    assets: Sequence[_Asset], writes: Iterable[Write], *, each_alone: bool = False
) -> tuple[Sequence[_Asset], tuple[Outcome, ...]]:
    """
    Return the assets whose places nothing else needs, and a failed outcome for each other one.

    :param writes: all that a run would write, as far as the assets may conflict with it.
    :param each_alone: a conflict fails its own assets only, as in a group of clusters.
    :raises ConflictingTargetsError: something conflicts, unless ``each_alone``; names all of it.
    """
    by_place: dict[Place, list[Write]] = defaultdict(list)
    for write in writes:
        by_place[write.place].append(write)
    conflicts = [x for x in by_place.values() if len({write.content for write in x}) > 1]
    if conflicts and not each_alone:
        raise ConflictingTargetsError("; ".join(map(_message, conflicts)))
    messages = {write.name: _message(x) for x in reversed(conflicts) for write in x if write.name}
    outcomes = tuple(
        failed(name, Problem.of(ConflictingTargetsError(message)))
        for name, message in messages.items()
    )
    return [x for x in assets if name_of(x) not in messages], outcomes


def _message(conflict: Sequence[Write]) -> str:
    sources = dict.fromkeys(write.what for write in conflict)
    return f"two sources for one target: {conflict[0].where} would get {' and '.join(sources)}"


def _shown(url: str) -> str:
    """Return a URL without secrets; one with a query stays recognisable as another."""
    return redact(url) + ("?…" if "?" in url else "")


def _url_place(url: str) -> str:
    """Return a URL so that two that name one file are equal, as ``files.targets`` reads it."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return url
    host = host_place(parts.hostname or "")
    return f"{parts.scheme}://{host}:{port}{unquote(parts.path).rstrip('/')}"
