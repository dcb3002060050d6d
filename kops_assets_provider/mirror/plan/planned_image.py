"""
An image that must be copied, with what its plan learnt: small enough to be handed to a task.

Several images share blobs. The first that has a blob leads: it uploads it. The others follow, and
mount it from the first one's repository. The plan says so by hints, which may be wrong at no cost:
a registry that cannot mount a blob opens an upload for it by the same request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError, InvalidManifestError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.mirror.model.asset import Change, Kind, Name
from kops_assets_provider.mirror.model.json_reader import read_value
from kops_assets_provider.mirror.model.schema import check_schema, with_schema
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.jobs import ImageJob
from kops_assets_provider.oci.manifest import Descriptor

_PREFIX = 8  # hex digits of a digest in a hint: enough to tell an image's blobs apart
_LONG_PREFIX = 12  # where nobody asks the registry again before the manifest is pushed
_HEX = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
_MAX_BYTES = 1000  # of a planned image as JSON: every mapped task pulls the whole list


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """
    An image to copy.

    :param digest: what the source had when it was planned, which is what will be copied.
    :param mounts: a repository of the target's registry to beginnings of the digests, in hex, of
        the blobs that it has, or will have first.
    :param wanted: likewise, the blobs that other images will mount from this one.
    :param has: likewise, longer, the blobs that the target has already, of another image under the
        same tag.
    :param leaders: a repository of ``mounts`` to the places in the plan of the images that upload
        those blobs to it.
    :param there: digest of the other image that the target has; not handed to a task.
    :param change: how source and target differ; not handed to a task.
    :param job: all that was read of it; not handed to a task.
    """

    canonical: str
    download: str
    digest: str | None = None
    mounts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    wanted: Sequence[str] = ()
    leaders: Mapping[str, Sequence[int]] = field(default_factory=dict)
    has: Sequence[str] = ()
    there: str | None = None
    change: Change = Change.ADDED
    job: ImageJob | None = field(default=None, compare=False, repr=False)

    @property
    def asset(self) -> Name:
        """Kind, canonical and download."""
        return Name(kind=Kind.IMAGE, canonical=self.canonical, download=self.download)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, at most 1000 bytes of them unless the names are longer."""
        own = with_schema({"canonical": self.canonical, "download": self.download})
        values = own | {
            "digest": self.digest,
            "mounts": {k: list(v) for k, v in self.mounts.items()},
            "wanted": list(self.wanted),
            "leaders": dict(self.leaders),
            "has": list(self.has),
        }
        if _fits(values):
            return {k: v for k, v in values.items() if v}
        blobs = self.job.tree.blobs if self.job else ()
        return own | _cut(values, {x.digest.hex[:_PREFIX]: n for n, x in enumerate(blobs)})

    @classmethod
    def from_dict(cls, values: object, where: str = "planned image") -> PlannedImage:
        """Read what ``to_dict`` wrote; raises InvalidInputError."""
        read_value(check_schema, values, where)
        (image,) = ClusterAssets.from_dict({"images": [values]}, where).images
        hints: Any = values
        try:
            digest = hints.get("digest")
            return cls(
                canonical=image.canonical,
                download=image.download,
                digest=None if digest is None else str(Digest(digest)),
                mounts={str(k): _hex(v) for k, v in (hints.get("mounts") or {}).items()},
                wanted=_hex(hints.get("wanted")),
                leaders={str(k): _indexes(v) for k, v in (hints.get("leaders") or {}).items()},
                has=_hex(hints.get("has")),
            )
        except (InvalidManifestError, AttributeError, TypeError, ValueError) as err:
            problem = f"not an element of the list that a plan returns: {err}"
            raise InvalidInputError(f"{where} {image.canonical}", [problem]) from None


def with_hints(planned: Iterable[PlannedImage]) -> list[PlannedImage]:
    """Return the images with hints, those that lead before those that only follow."""
    leaders: dict[tuple[Hashable, Digest, int], int] = {}
    images = list(planned)
    mounts: list[dict[str, list[str]]] = [{} for _ in images]
    wanted: list[dict[str, None]] = [{} for _ in images]
    led_by: list[dict[str, dict[int, None]]] = [{} for _ in images]
    for number, image in enumerate(images):
        for blob, key in _blobs(image):
            if image.job and blob.digest in image.job.has:
                continue
            leader = leaders.setdefault(key, number)
            repository = _repository(images[leader])
            if leader != number:
                mounts[number].setdefault(repository, []).append(blob.digest.hex[:_PREFIX])
                wanted[leader][blob.digest.hex[:_PREFIX]] = None
                led_by[number].setdefault(repository, {})[leader] = None
    order = sorted(range(len(images)), key=lambda number: not wanted[number])
    places = {number: place for place, number in enumerate(order)}
    return [
        replace(
            images[number],
            mounts=mounts[number],
            wanted=tuple(wanted[number]),
            leaders={name: [places[x] for x in those] for name, those in led_by[number].items()},
        )
        for number in order
    ]


def beginnings(blobs: Iterable[Descriptor]) -> list[str]:
    """Return what a record keeps of blobs: enough to know them again."""
    return [blob.digest.hex[:_LONG_PREFIX] for blob in blobs]


def having(blobs: Iterable[Descriptor], beginnings: Sequence[str]) -> frozenset[Digest]:
    """Return the digests of the blobs that begin so."""
    wanted = set(beginnings)
    return frozenset(x.digest for x in blobs if x.digest.hex[:_LONG_PREFIX] in wanted)


def resolve_hints(
    blobs: Iterable[Descriptor], mounts: Mapping[str, Sequence[str]], wanted: Sequence[str]
) -> tuple[dict[Digest, str], frozenset[Digest]]:
    """Return hints by whole digests: which repository has a blob, and which blobs are wanted."""
    by_prefix = {prefix: repository for repository, x in mounts.items() for prefix in x}
    prefixes = {blob.digest: blob.digest.hex[:_PREFIX] for blob in blobs}
    found = {digest: by_prefix[x] for digest, x in prefixes.items() if x in by_prefix}
    prefixes_wanted = set(wanted)
    return found, frozenset(digest for digest, x in prefixes.items() if x in prefixes_wanted)


def _hex(values: Any) -> tuple[str, ...]:
    for value in values or ():
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise ValueError(f"{value!r} is not the beginning of a digest in hex")
    return tuple(values or ())


def _indexes(values: Any) -> tuple[int, ...]:
    for value in values:
        if type(value) is not int or value < 0:
            raise ValueError(f"{value!r} is not a map index")
    return tuple(values)


def _blobs(image: PlannedImage) -> Iterable[tuple[Descriptor, tuple[Hashable, Digest, int]]]:
    if image.job:
        registry = image.job.target.registry
        # The largest first: if not all hints fit, the small ones are left out.
        yield from ((blob, (registry, blob.digest, blob.size)) for blob in image.job.tree.blobs)


def _repository(image: PlannedImage) -> str:
    return image.job.target.name if image.job else ""


def _fits(values: Mapping[str, Any]) -> bool:
    return len(json.dumps(values)) <= _MAX_BYTES


def _cut(values: dict[str, Any], ranks: Mapping[str, int]) -> dict[str, Any]:
    """Leave out hints until the rest fits: the largest blobs stay, whoever has them."""
    cut = {**values, "mounts": {}, "wanted": [], "leaders": {}, "has": []}
    pairs = [(prefix, repository) for repository, x in values["mounts"].items() for prefix in x]
    for prefix, repository in sorted(pairs, key=lambda pair: ranks.get(pair[0], 0)):
        more = {**cut["mounts"], repository: [*cut["mounts"].get(repository, []), prefix]}
        leaders = {**cut["leaders"], repository: values["leaders"].get(repository, [])}
        if _fits({**cut, "mounts": more, "leaders": leaders}):
            cut |= {"mounts": more, "leaders": leaders}
    for prefix in sorted(values["wanted"], key=lambda prefix: ranks.get(prefix, 0)):
        if _fits({**cut, "wanted": [*cut["wanted"], prefix]}):
            cut["wanted"] = [*cut["wanted"], prefix]
    for prefix in values["has"]:
        if _fits({**cut, "has": [*cut["has"], prefix]}):
            cut["has"] = [*cut["has"], prefix]
    return {k: v for k, v in cut.items() if v}
