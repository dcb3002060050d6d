"""Lists of what test servers have, as kOps would give them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset_list import AssetList

KOPS_VERSION = "1.36.2"


def asset_list(
    cluster: str,
    images: Iterable[tuple[str, str]] = (),
    files: Iterable[tuple[str, str, bytes]] = (),
) -> dict[str, Any]:
    """
    Return a cluster's list as plain JSON values.

    :param images: canonical and download name of each.
    :param files: canonical and download URL of each, and its bytes.
    """
    assets = ClusterAssets(
        images=tuple(ImageAsset(canonical=x, download=y) for x, y in images),
        files=tuple(
            FileAsset(canonical=x, download=y, sha=hashlib.sha256(raw).hexdigest())
            for x, y, raw in files
        ),
    )
    return AssetList(cluster=cluster, kops_version=KOPS_VERSION, assets=assets).to_dict()
