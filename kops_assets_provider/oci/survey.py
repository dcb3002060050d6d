"""Ask whether the target has the image that the source has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kops_assets_provider.exceptions import NotFoundError, Side
from kops_assets_provider.oci.digest import Digest
from kops_assets_provider.oci.manifest import Manifest
from kops_assets_provider.oci.platforms import trim
from kops_assets_provider.oci.ports import ImageSource, ImageTarget
from kops_assets_provider.oci.reference import Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """
    What source and target say of an image.

    :param present: digest of what the target has, if that is what it should have.
    :param source: digest that the source has; None if it was not asked.
    :param root: the manifest or index that the target should have, if it had to be read for that.
    :param there: digest of what the target has instead, if it has another image.
    """

    present: Digest | None
    source: Digest | None = None
    root: Manifest | None = None
    there: Digest | None = None


def survey(
    source: ImageSource,
    source_ref: Reference,
    target: ImageTarget,
    target_ref: Reference,
    *,
    platforms: Sequence[str] = (),
    immutable: bool = False,
) -> Survey:
    """
    Ask whether the target has the image that the source has.

    Two requests: HEAD to each if it is there; GET of the source's manifest if it is not, or if it
    takes that to know what some ``platforms`` of it are.

    :param immutable: the tag never moves, so what the target has under it is right: one request.
        Without effect if only some platforms are copied.
    :raises NotFoundError: the source has no such image.
    """
    there = target.resolve(target_ref.push_as)
    # The index of some platforms is another one when others are wanted, under the same tag.
    if there and immutable and not platforms:
        return Survey(present=there)
    if there is None or platforms:
        found = source.fetch_manifest(source_ref.pull_by)
        root = trim(found, chosen_platforms(target_ref, platforms))
        return _survey(there, root.digest, found.digest, root)
    wanted = source_digest(source, source_ref)
    return _survey(there, wanted, wanted)


def source_digest(source: ImageSource, source_ref: Reference) -> Digest:
    """
    Return the digest of what a reference names: one HEAD, and none if it has the digest itself.

    :raises NotFoundError: the source has no such image.
    """
    digest = source_ref.digest or source.resolve(source_ref.pull_by)
    if digest is None:
        raise NotFoundError(f"{source_ref}: there is no such image", side=Side.SOURCE)
    return digest


def _survey(
    there: Digest | None, wanted: Digest, source: Digest, root: Manifest | None = None
) -> Survey:
    if there == wanted:
        return Survey(present=there, source=source, root=root)
    return Survey(present=None, source=source, root=root, there=there)


def chosen_platforms(target_ref: Reference, platforms: Sequence[str]) -> Sequence[str]:
    """Return the platforms to copy: all of an image that nodes pull by the digest of them all."""
    return () if target_ref.digest else platforms
