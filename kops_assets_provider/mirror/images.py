"""Plan and copy a cluster's images."""

from __future__ import annotations

from collections.abc import Sequence

from kops_assets_provider.http.verify import OnChunk
from kops_assets_provider.kops.assets import ImageAsset
from kops_assets_provider.mirror.outcome import Kind, Outcome, State, now
from kops_assets_provider.mirror.plan import Plan, make_plan
from kops_assets_provider.mirror.registries import Registries
from kops_assets_provider.oci.copy import copy_image, is_present


def plan_images(assets: Sequence[ImageAsset], registries: Registries) -> Plan[ImageAsset]:
    """Ask the target registry which images it has; see ``make_plan`` for the errors."""

    def settle(asset: ImageAsset) -> Outcome | None:
        if asset.download == asset.canonical:
            return Outcome(Kind.IMAGE, asset.canonical, asset.download, State.NOT_MIRRORED)
        digest = is_present(*registries.source(asset.canonical), *registries.target(asset.download))
        return _outcome(asset, State.PRESENT, digest) if digest else None

    return make_plan(assets, settle)


def copy_image_asset(
    asset: ImageAsset, registries: Registries, on_chunk: OnChunk | None = None
) -> Outcome:
    """Copy one image unless it is there; raises what ``copy_image`` raises."""
    source, target = registries.source(asset.canonical), registries.target(asset.download)
    done = copy_image(*source, *target, on_chunk=on_chunk)
    state = State.COPIED if done.copied else State.PRESENT
    return _outcome(asset, state, done.digest, done.size, done.uploaded)


def _outcome(
    asset: ImageAsset, state: State, digest: str, size: int | None = None, sent: int = 0
) -> Outcome:
    names = asset.canonical, asset.download
    return Outcome(Kind.IMAGE, *names, state, digest, size, sent, verified_at=now())
