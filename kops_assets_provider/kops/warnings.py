"""
What will bite whoever mirrors a list: found in the list itself, in the spec and the environment.

kOps says none of this when it lists, and some of it only when it copies, or never.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.cluster import Cluster

_ECR = re.compile(r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?/")
_MUTABLE = {"latest", "stable", "main", "master", "edge", "nightly"}
_TAG = re.compile(r":(?P<tag>[^/:@]+)$")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/dual-stack-endpoints.html
_DUAL_STACK = re.compile(r"(?:.+\.)?s3(?:-fips)?\.dualstack\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")
# Read by kOps while it lists: pkg/assets/builder.go, pkg/nodemodel/wellknownassets/{cni,
# kopsassets}.go and util/pkg/architectures/architectures.go, v1.36.2.
_OVERRIDES = (
    "CNI_ASSET_HASH_STRING",
    "CNI_VERSION_URL",
    "DNSCONTROLLER_IMAGE",
    "KOPSCONTROLLER_IMAGE",
    "KOPS_ARCH",
    "KOPS_BASE_URL",
    "KUBE_APISERVER_HEALTHCHECK_IMAGE",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caveat:
    """One warning: a ``code`` to recognise it by, and a sentence."""

    code: str
    message: str

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"code": self.code, "message": self.message}


def asset_caveats(assets: ClusterAssets) -> Iterator[Caveat]:
    """Yield what a list says against itself, wherever it is from."""
    yield from _conflicts(assets.images)
    yield from _conflicts(assets.files)
    for image in assets.images:
        yield from _image_caveats(image)
    for file in assets.files:
        if file.query:
            message = f"{file.canonical} is fetched with a query, which the list does not have"
            yield Caveat(
                code="query",
                message=f"{message}: whoever reads it needs source_rewrites for the file",
            )


def cluster_caveats(cluster: Cluster) -> Iterator[Caveat]:
    """Yield what is odd about where a cluster wants its assets from."""
    repository = cluster.locations.file_repository
    host = (urlsplit(repository).hostname or "") if repository else ""
    if _DUAL_STACK.fullmatch(host):
        # The regular expression of util/pkg/vfs/s3context.go (v1.36.2) knows no dual-stack hosts.
        yield Caveat(
            code="dual-stack",
            message=f"kops get assets --copy takes a part of {host} for a bucket; "
            "we read it as S3 does",
        )


def environment_caveats(environment: Mapping[str, str]) -> Iterator[Caveat]:
    """Yield which variables kOps would heed when it lists, and we do not."""
    for name in _OVERRIDES:
        if environment.get(name):
            message = f"{name} is set here: kOps would heed it when it lists, and we do not"
            yield Caveat(code="environment", message=message)


def _conflicts(assets: Sequence[ImageAsset] | Sequence[FileAsset]) -> Iterator[Caveat]:
    sources: dict[str, set[str]] = defaultdict(set)
    for asset in assets:
        sources[asset.download].add(asset.canonical)
    for download, canonicals in sources.items():
        if len(canonicals) > 1:
            names = _listed(canonicals)
            if "://" in download:
                # remapURL in pkg/assets/builder.go (v1.36.2) drops the host.
                message = f"{names} differ in their host alone: at {download} one overwrites the"
                yield Caveat(code="overwritten", message=f"{message} other; copying fails")
            else:
                message = f"{names} become one image at {download}; copying fails, as in kOps"
                yield Caveat(code="two-sources", message=message)


def _image_caveats(image: ImageAsset) -> Iterator[Caveat]:
    name = image.canonical
    tag = _TAG.search(name)
    if "@" not in name and (tag is None or tag["tag"] in _MUTABLE):
        shown = tag["tag"] if tag else "none, so latest"
        message = f"{name} has a tag that moves ({shown}): the mirror has what it was when copied"
        yield Caveat(code="mutable-tag", message=message)
    if ecr := _ECR.match(name):
        message = f"{name} is in the private ECR of account {ecr['account']}: it takes AWS"
        yield Caveat(code="credentials", message=f"{message} credentials to read it")
    # remap.py keeps kOps' oddity: "alpine:3" counts as a host, which the proxy replaces.
    if "/" not in name and image.download != name and not image.download.endswith(name):
        message = f"kOps makes {image.download} of {name} with spec.assets.containerProxy, which is"
        yield Caveat(
            code="bare-name",
            message=f"{message} no image: write docker.io/library/{name} in the spec",
        )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(names))
