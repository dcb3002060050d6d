"""
The lists of several clusters that are mirrored together: what they share is copied once.

Two assets are one if they have the same canonical and download name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.mirror.model.asset import Name, Problem, name_of, problem
from kops_assets_provider.mirror.model.asset_list import AssetList
from kops_assets_provider.mirror.model.json_reader import WrongValue, line, read_value
from kops_assets_provider.mirror.model.schema import check_schema, with_schema

_KEY = "clusters"  # what the list of one cluster does not have
_GROUP = line(100)
_CLUSTER = line(253)


def _failures(value: object) -> dict[str, Problem]:
    if not isinstance(value, Mapping):
        raise WrongValue("expected clusters and why they could not be listed")
    return {_CLUSTER(cluster): problem(error) for cluster, error in value.items()}


@dataclass(frozen=True, kw_only=True)
class FleetList:
    """
    The lists of a group of clusters.

    :param group: the group's name.
    :param lists: those of the clusters that could be listed.
    :param failures: each other cluster, and why it could not be listed.
    """

    is_group: ClassVar[bool] = True

    group: str
    lists: tuple[AssetList, ...]
    failures: Mapping[str, Problem] = field(default_factory=dict)

    @cached_property
    def assets(self) -> ClusterAssets:
        """What any of the clusters downloads, each once."""
        images = dict.fromkeys(asset for x in self.lists for asset in x.assets.images)
        files = dict.fromkeys(asset for x in self.lists for asset in x.assets.files)
        return ClusterAssets(images=tuple(images), files=tuple(files))

    def find(self, cluster: str) -> AssetList:
        """Return a cluster's list; raises InvalidInputError if it could not be listed."""
        for listed in self.lists:
            if listed.cluster == cluster:
                return listed
        known = self.failures.get(cluster)
        why = known.message if known else "the group has no such cluster"
        raise InvalidInputError(f"list of {cluster}", [why])

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: each asset once, and of each cluster which ones it has."""
        images = {asset: number for number, asset in enumerate(self.assets.images)}
        files = {asset: number for number, asset in enumerate(self.assets.files)}
        clusters = [
            {
                **replace(x, assets=ClusterAssets(images=(), files=())).to_saved(),
                "images": [images[asset] for asset in x.assets.images],
                "files": [files[asset] for asset in x.assets.files],
            }
            for x in self.lists
        ]
        failures = {name: x.to_dict() for name, x in self.failures.items()}
        own = {"group": self.group, _KEY: clusters, "failures": failures}
        return with_schema({**own, **self.assets.to_dict()})

    @classmethod
    def from_dict(cls, values: object, where: str = "list of a group") -> FleetList:
        """Read what ``to_dict`` wrote; raises InvalidInputError."""
        read_value(check_schema, values, where)
        try:
            return cls._read(values, where)
        except (KeyError, TypeError, IndexError, AttributeError, WrongValue) as err:
            what = err if isinstance(err, WrongValue) else type(err).__name__
            raise InvalidInputError(where, [f"it is not the list of a group: {what}"]) from err

    @classmethod
    def _read(cls, values: Any, where: str) -> FleetList:
        images = [ImageAsset(**x) for x in values.get("images", ())]
        files = [FileAsset(**x) for x in values.get("files", ())]
        lists = []
        for own in values[_KEY]:
            assets = ClusterAssets(
                images=tuple(images[number] for number in own["images"]),
                files=tuple(files[number] for number in own["files"]),
            )
            lists.append(AssetList.from_saved({**own, **assets.to_dict()}, where))
        group, failures = _GROUP(values["group"]), _failures(values["failures"])
        return cls(group=group, lists=tuple(lists), failures=failures)


def read_listed(values: object, where: str) -> AssetList | FleetList:
    """
    Read the list of one cluster, or of a group, from an XCom.

    :param where: the XCom, for messages.
    :raises InvalidInputError: it is neither.
    """
    if isinstance(values, Mapping) and _KEY in values:
        return FleetList.from_dict(values, where)
    return AssetList.from_dict(values, where)


def lists_of(listed: AssetList | FleetList) -> Sequence[AssetList]:
    """Return the lists of the clusters."""
    return (listed,) if isinstance(listed, AssetList) else listed.lists


def names_of(assets: ClusterAssets) -> list[Name]:
    """Return the names of a list's assets, images first."""
    return [*map(name_of, assets.images), *map(name_of, assets.files)]
