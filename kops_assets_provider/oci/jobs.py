"""What is to be copied of one image, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.ports import ImageSource, ImageTarget
from kops_assets_provider.oci.tree import ImageTree


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageJob:
    """
    One image to copy.

    :param push_as: the tag or digest to publish it under.
    :param mounts: blobs that another repository of the target's registry has, or will have soon.
    :param wanted: blobs that other copies wait for: they go first.
    :param has: blobs that the target has, since a manifest that names them is there: they are not
        asked about. If they are gone all the same, the registry refuses the new manifest, and they
        are sent.
    """

    source: ImageSource
    target: ImageTarget
    push_as: str
    tree: ImageTree
    mounts: Mapping[Digest, str] = field(default_factory=dict)
    wanted: frozenset[Digest] = frozenset()
    has: frozenset[Digest] = frozenset()


@dataclass(slots=True, kw_only=True)
class ImageResult:
    """
    What became of an image: ``error`` is None if it is whole at the target.

    ``seconds`` are those since work for it began. ``sent`` and ``mounted`` count bytes of blobs,
    ``mounts`` counts them, and ``late`` is the bytes among those sent that another repository was
    to have, but had not in time.
    """

    sent: int = 0
    mounted: int = 0
    mounts: int = 0
    late: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: Exception | None = None
