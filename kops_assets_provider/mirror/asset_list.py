"""A cluster's asset list, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset
from kops_assets_provider.kops.warnings import Caveat

_RECORDS = "kops-assets"  # folder of the records, beside the files
_UNKNOWN = "unknown"
_OWN_KEYS = ("cluster", "kops_version", "record_url", "warnings")


@dataclass(frozen=True, slots=True)
class AssetList:
    """
    A cluster's assets, and what they were computed for.

    :param record_url: where the mirror's record belongs: beside the files, None if they have no
        place.
    :param warnings: what will bite whoever mirrors the list.
    :param hash_sources: canonical URL to where the file's hash is from: ``spec``, ``pinned``,
        ``extra``, ``kops <release>``, ``list``, or the URL that it was fetched from.
    """

    cluster: str
    kops_version: str
    assets: ClusterAssets
    record_url: str | None = None
    warnings: tuple[Caveat, ...] = ()
    hash_sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the keys of ``kops get assets -o json``, and ours."""
        return {
            "cluster": self.cluster,
            "kops_version": self.kops_version,
            "record_url": self.record_url,
            "warnings": [x.to_dict() for x in self.warnings],
            **self.assets.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, values: object, where: str = "asset list", cluster: str = "", kops_version: str = ""
    ) -> AssetList:
        """
        Read what ``to_dict`` wrote, or with ``cluster`` also what kOps wrote.

        :param cluster: its name, if the list does not say it.
        :param kops_version: likewise.
        :raises InvalidInputError: with every problem of the list.
        """
        if not isinstance(values, Mapping):
            raise InvalidInputError(where, [f"expected a mapping, got {type(values).__name__}"])
        own = {"kops_version": kops_version or (_UNKNOWN if cluster else ""), "cluster": cluster}
        own |= {k: v for k in own if isinstance(v := values.get(k), str) and v}
        missing = sorted(name for name, value in own.items() if not value)
        if missing:
            raise InvalidInputError(where, [f"it has no {name}" for name in missing])
        theirs = {k: v for k, v in values.items() if k not in _OWN_KEYS}
        assets = ClusterAssets.from_dict(theirs, where)
        record_url = values.get("record_url") or guess_record_url(assets.files)
        return cls(own["cluster"], own["kops_version"], assets, record_url)


def record_url(file_repository: str | None) -> str | None:
    """Return where the record belongs, beside the files."""
    return f"{file_repository.rstrip('/')}/{_RECORDS}" if file_repository else None


def guess_record_url(files: Sequence[FileAsset]) -> str | None:
    """Return it for a list without a spec: the file repository is what was put before the paths."""
    for file in files:
        path = "/" + file.canonical.partition("://")[2].partition("/")[2]
        if file.download != file.canonical and file.download.endswith(path):
            return record_url(file.download.removesuffix(path))
    return None
