"""
Find the store, and the path in it, behind the URL that a cluster's nodes download from.

Rule: ``buildVFSPath`` in ``pkg/assets/copyfile.go`` and ``VFSPath`` in
``util/pkg/vfs/s3context.go``, kOps v1.36.2. Unlike kOps we look at the host as a whole, and know
the dual-stack and FIPS hosts, which kOps takes for buckets (``dualstack.us-east-1``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from kops_assets_provider.exceptions import InvalidInputError, UnsupportedTargetError
from kops_assets_provider.files.store_paths import check_path
from kops_assets_provider.http.urls import redact

# https://docs.aws.amazon.com/general/latest/gr/s3.html, path style and virtual-hosted style
_S3_HOST = re.compile(
    r"""(?:(?P<bucket>[\w.-]+)\.)?
        s3(?:-fips)?(?:(?:\.dualstack)?[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d+))?
        \.amazonaws\.com(?:\.cn)?""",
    re.ASCII | re.VERBOSE,
)
# No host of S3's, but kOps accepts it, and it must not swallow the hosts that S3 has besides.
_S3_HOST_OF_KOPS = re.compile(
    r"""s3[.-](?P<bucket>(?!dualstack|fips|accelerate|website|accesspoint|control|global|express
                            |object-lambda|outposts)[\w.-]+)
        \.amazonaws\.com(?:\.cn)?""",
    re.ASCII | re.VERBOSE,
)
# https://docs.cloud.google.com/storage/docs/request-endpoints; kOps knows the one without bucket.
_GCS_HOST = re.compile(r"(?:(?P<bucket>[\w.-]+)\.)?storage\.googleapis\.com", re.ASCII)
# S3's and Google's rules together; upper case is that of S3's first years, 222 is Google's limit.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,220}[A-Za-z0-9]")
_PLACES = "s3://bucket/prefix, gs://bucket/prefix, file:///directory or /directory"
_UNDERSTOOD = (
    "understood are https://BUCKET.s3.REGION.amazonaws.com/KEY, "
    "https://s3.REGION.amazonaws.com/BUCKET/KEY, https://storage.googleapis.com/BUCKET/KEY and "
    "https://BUCKET.storage.googleapis.com/KEY; "
    "for other hosts say in file_targets where to write, such as "
    '{"https://files.example.com": "s3://bucket/prefix"}'
)


class Scheme(StrEnum):
    """Kinds of stores."""

    S3 = "s3"
    GS = "gs"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTarget:
    """
    A place in a store.

    :param root: the bucket, or the absolute path of the directory.
    :param path: the object's key, or the file's path below ``root``; decoded.
    :param region: of an S3 bucket, if the URL tells it.
    """

    scheme: Scheme
    root: str
    path: str
    region: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.root.rstrip('/')}/{self.path}"


def locate(download: str, file_targets: Mapping[str, str]) -> FileTarget:
    """
    Return where to write the file that nodes get from the URL ``download``.

    :param file_targets: prefixes of download URLs, and what stands for them: ``s3://bucket/prefix``,
        ``gs://bucket/prefix``, ``file:///directory`` or ``/directory``. The longest prefix that
        ends where a part of the path does wins over all that is understood without it.
    :raises InvalidInputError: an entry of ``file_targets`` is wrong, or the path leads astray.
    :raises UnsupportedTargetError: the URL is none that can be written to.
    """
    check_file_targets(file_targets)
    target = _by_prefix(download, file_targets) or _by_host(download)
    if target is None:
        raise UnsupportedTargetError(f"cannot write to {redact(download)}: {_UNDERSTOOD}")
    check_path(target.path)
    return target


def locate_place(place: str, path: str) -> FileTarget:
    """
    Return the target for ``path`` below a place that is written as in ``file_targets``' values.

    :raises InvalidInputError: it is no such place, or the path leads astray.
    """
    parsed = _parse_place(place)
    if parsed is None:
        raise InvalidInputError(show_place(place), [f"it is not {_PLACES}"])
    refuse_query(place)
    scheme, root, start = parsed
    return FileTarget(
        scheme=scheme, root=root, path=check_path(f"{start}/{path}" if start else path)
    )


def refuse_query(place: str) -> None:
    """
    Refuse a signed URL where the place of an object is expected.

    It would become a part of the object's name, which everybody may see.

    :raises InvalidInputError: the place is not a directory, and has a query or a fragment.
    """
    if _has_query(place):
        problem = "a place has no query or fragment: buckets are opened with credentials alone"
        raise InvalidInputError(show_place(place), [problem])


def _has_query(place: str) -> bool:
    is_directory = "://" not in place or place.startswith("file:")
    return not is_directory and bool({"?", "#"}.intersection(place))


def show_place(place: str) -> str:
    """Return a place as messages may show it: without user info and query."""
    if place.startswith("/"):
        return place
    scheme, found, _ = place.partition("://")
    start = f"{scheme}://" if found and scheme.isalnum() else ""
    # AWS' secrets have slashes in them, so user info is all before the last "@", not the host's.
    return redact(start + place.removeprefix(start).rpartition("@")[2])


def check_file_targets(file_targets: Mapping[str, str]) -> None:
    """Raise InvalidInputError, naming all that is wrong, unless ``locate`` can use the mapping."""
    problems = []
    for prefix, place in file_targets.items():
        parts = urlsplit(prefix)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            problems.append(f"{redact(prefix)!r} is not the beginning of an http(s) URL")
        if _parse_place(place) is None:
            problems.append(f"{show_place(place)!r} is not {_PLACES}")
        elif _has_query(place):
            problems.append(f"{show_place(place)!r} has a query or fragment, and a place has none")
    if problems:
        raise InvalidInputError("file_targets", problems)


def _by_prefix(download: str, file_targets: Mapping[str, str]) -> FileTarget | None:
    path = _normal(download)
    by_prefix = {_normal(prefix).rstrip("/"): place for prefix, place in file_targets.items()}
    matching = [prefix for prefix in by_prefix if f"{path}/".startswith(f"{prefix}/")]
    if not matching:
        return None
    prefix = max(matching, key=len)
    scheme, root, start = _parse_place(by_prefix[prefix]) or (Scheme.FILE, "", "")
    rest = unquote(path.removeprefix(prefix)).removeprefix("/")
    return FileTarget(scheme=scheme, root=root, path=f"{start}/{rest}" if start else rest)


def _by_host(download: str) -> FileTarget | None:
    parts = urlsplit(download)
    path = unquote(parts.path).removeprefix("/")
    if parts.scheme not in ("http", "https"):
        return None
    if match := _GCS_HOST.fullmatch(parts.hostname or ""):
        return _in_bucket(Scheme.GS, match["bucket"], path)
    for pattern in (_S3_HOST, _S3_HOST_OF_KOPS):
        if match := pattern.fullmatch(parts.hostname or ""):
            groups = match.groupdict()
            return _in_bucket(Scheme.S3, groups["bucket"], path, groups.get("region"))
    return None


def _in_bucket(
    scheme: Scheme, bucket: str | None, path: str, region: str | None = None
) -> FileTarget | None:
    """Return the target; without a ``bucket`` it is the first part of the path."""
    if bucket is None:
        bucket, _, path = path.partition("/")
    return (
        FileTarget(scheme=scheme, root=bucket, path=path, region=region)
        if bucket and path
        else None
    )


def _parse_place(place: str) -> tuple[Scheme, str, str] | None:
    """Split an entry's value into scheme, root and the path that all files begin with."""
    scheme, found, rest = place.partition("://")
    if scheme in (Scheme.S3, Scheme.GS) and found:
        bucket, _, prefix = rest.partition("/")
        return (Scheme(scheme), bucket, prefix.strip("/")) if _BUCKET.fullmatch(bucket) else None
    directory = rest if scheme == Scheme.FILE and found else place
    # A name with such characters cannot be opened, or not be shown.
    if not directory.startswith("/") or not directory.isprintable():
        return None
    return Scheme.FILE, directory.rstrip("/") or "/", ""


def _normal(url: str) -> str:
    """Return a URL so that one can be compared with the beginning of another."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}{parts.path}"
