"""A cluster's asset list, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.assets import ClusterAssets
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.warnings import Caveat
from kops_assets_provider.mirror.model.json_reader import read_value
from kops_assets_provider.mirror.model.schema import check_schema, with_schema
from kops_assets_provider.redaction import clean, redact

_UNKNOWN = "unknown"
_OWN_KEYS = ("format", "cluster", "kops_version", "record_url", "warnings")
_IGNORED = Caveat(
    code="record-url",
    message="the list has a record_url, which is ignored: a list does not say where the mirror's "
    "record is written; give record_url as an option if it is not beside the files",
)
_MOST = 253  # characters of a cluster's name, or of a version


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetList:
    """
    A cluster's assets, and what they were computed for.

    :param warnings: what will bite whoever mirrors the list.
    :param hash_sources: canonical URL to where the file's hash is from: ``spec``, ``pinned``,
        ``extra``, ``kops <release>``, ``list``, or the URL that it was fetched from.
    """

    is_group: ClassVar[bool] = False

    cluster: str
    kops_version: str
    assets: ClusterAssets
    warnings: tuple[Caveat, ...] = ()
    hash_sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the values of an XCom: those of a saved list, and their schema."""
        return with_schema(self.to_saved())

    @classmethod
    def from_dict(cls, values: object, where: str = "asset list") -> AssetList:
        """Read what ``to_dict`` wrote; raises InvalidInputError with every problem of the list."""
        read_value(check_schema, values, where)
        return cls.from_saved(values, where)

    def to_saved(self) -> dict[str, Any]:
        """Return the values of a saved list: the keys of ``kops get assets -o json``, and ours."""
        return {
            "cluster": self.cluster,
            "kops_version": self.kops_version,
            "warnings": [x.to_dict() for x in self.warnings],
            **self.assets.to_dict(),
        }

    def shown_hash_sources(self) -> dict[str, str]:
        """Return ``hash_sources`` as anybody may see them: a signed URL without its query."""
        return {redact(url): source for url, source in self.hash_sources.items()}

    @classmethod
    def from_saved(
        cls,
        values: object,
        where: str = "asset list",
        cluster: str = "",
        kops_version: str = "",
        default_cluster: str = "",
    ) -> AssetList:
        """
        Read what ``to_saved`` wrote, or with a cluster's name also what kOps wrote.

        A list's own ``record_url`` is ignored with a warning.

        :param cluster: its name; a list that says another one is refused.
        :param kops_version: likewise.
        :param default_cluster: its name if neither the list nor ``cluster`` says it.
        :raises InvalidInputError: with every problem of the list; an empty one is none.
        """
        if not isinstance(values, Mapping):
            raise InvalidInputError(where, [f"expected a mapping, got {type(values).__name__}"])
        default = _UNKNOWN if cluster or default_cluster else ""
        version = kops_version.removeprefix("v")
        problems = [
            *_wrong_value(values, "cluster", cluster, cluster or default_cluster),
            *_wrong_cluster(values.get("cluster") or cluster or default_cluster),
            *_wrong_value(values, "kops_version", version, version or default),
            *_wrong_extras(values),
        ]
        if not (values.get("images") or values.get("files")):
            problems.append("it has neither images nor files, and every cluster needs some")
        if problems:
            raise InvalidInputError(where, problems)
        theirs = {k: v for k, v in values.items() if k not in _OWN_KEYS}
        assets = ClusterAssets.from_dict(theirs, where)
        caveats = list(map(_caveat, values.get("warnings") or ()))
        if values.get("record_url") is not None:
            caveats.append(_IGNORED)
        return cls(
            cluster=values.get("cluster") or cluster or default_cluster,
            kops_version=clean(values.get("kops_version") or version or default),
            assets=assets,
            warnings=tuple(caveats),
        )


def _wrong_value(values: Mapping[Any, Any], key: str, wanted: str, default: str) -> Iterator[str]:
    found = values.get(key) or default
    if not isinstance(found, str) or not found:
        yield f"it has no {key}"
    elif not found.isprintable() or len(found) > _MOST:
        yield f"its {key} is not printable text of at most {_MOST} characters"
    elif wanted and found != wanted:
        yield f"its {key} is {found}, and {wanted} is wanted"


def _wrong_cluster(name: object) -> Iterator[str]:
    if isinstance(name, str) and name and not is_cluster_name(name):
        yield f"its cluster is {name!r}, {EXPECTED_NAME}"


def _wrong_extras(values: Mapping[Any, Any]) -> Iterator[str]:
    warnings = values.get("warnings") or []
    if not isinstance(warnings, list) or not all(map(_is_warning, warnings)):
        yield "its warnings are not a list of mappings with code and message"


def _caveat(values: Mapping[str, str]) -> Caveat:
    return Caveat(code=clean(values["code"]), message=clean(values["message"]))


def _is_warning(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(key), str) for key in ("code", "message")
    )
