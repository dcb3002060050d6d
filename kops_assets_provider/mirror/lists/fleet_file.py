"""The file that says which clusters are mirrored together: groups with schedule and options."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.regular_files import read_document

_GROUP = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_OWN = ("schedule", "clusters")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterGroup:
    """
    Clusters that are mirrored by one DAG.

    :param schedule: when it runs: cron, a preset such as ``@daily``, or None for only by hand.
    :param clusters: each cluster's name, and the options that are other ones for it.
    :param options: those that hold for all of them.
    """

    name: str
    schedule: str | None
    clusters: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Any]


def read_fleet_file(
    path: str | Path, group_options: Collection[str], cluster_options: Collection[str]
) -> tuple[ClusterGroup, ...]:
    """
    Read the groups of a YAML file.

    :param group_options: names that a group may have beside ``schedule`` and ``clusters``.
    :param cluster_options: names that a cluster may have.
    :raises InvalidInputError: it cannot be read or is no such file; the message has every problem.
    """
    groups = _groups(path)
    problems = [
        problem
        for name, values in groups.items()
        for problem in _problems(name, values, group_options, cluster_options)
    ]
    if problems:
        raise InvalidInputError(str(path), problems)
    return tuple(_group(name, values) for name, values in groups.items())


def _groups(path: str | Path) -> Mapping[Any, Any]:
    try:
        documents = load_documents(read_document(path).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, YamlError) as err:
        raise InvalidInputError(str(path), [f"cannot be read: {err}"]) from err
    groups = documents[0].get("groups") if _is_fleet(documents) else None
    if not isinstance(groups, Mapping) or not groups:
        expected = "expected one document with the key groups, and at least one group below it"
        raise InvalidInputError(str(path), [expected])
    return groups


def _is_fleet(documents: list[Any]) -> bool:
    return len(documents) == 1 and isinstance(documents[0], Mapping) and len(documents[0]) == 1


def _problems(
    name: Any, values: Any, group_options: Collection[str], cluster_options: Collection[str]
) -> Iterator[str]:
    where = f"group {name!r}"
    if not isinstance(name, str) or not _GROUP.fullmatch(name):
        yield f"{where}: expected a name of letters, digits, dots, dashes and underscores"
    if not isinstance(values, Mapping):
        yield f"{where}: expected a mapping with the key clusters"
        return
    yield from _unknown(where, values, {*_OWN, *group_options})
    if not isinstance(values.get("schedule"), str | None):
        yield f"{where}: its schedule is not text, such as '0 2 * * *'"
    clusters = values.get("clusters")
    if not isinstance(clusters, Mapping | list) or not clusters:
        yield f"{where}: expected clusters, a list of names or a mapping of names to options"
        return
    for cluster in clusters:
        own = clusters[cluster] if isinstance(clusters, Mapping) else None
        yield from _cluster_problems(f"{where}: cluster {cluster!r}", cluster, own, cluster_options)
    if len(set(map(str, clusters))) < len(clusters):
        yield f"{where}: a cluster is there twice"


def _cluster_problems(
    where: str, name: Any, own: Any, cluster_options: Collection[str]
) -> Iterator[str]:
    if not is_cluster_name(name):
        yield f"{where}: {EXPECTED_NAME}"
    if isinstance(own, Mapping):
        yield from _unknown(where, own, cluster_options)
    elif own is not None:
        yield f"{where}: expected a mapping of options, or nothing"


def _unknown(where: str, values: Mapping[Any, Any], known: Collection[str]) -> Iterator[str]:
    if unknown := sorted(str(x) for x in values if x not in known):
        yield f"{where}: unknown {', '.join(unknown)}; there are {', '.join(sorted(known))}"


def _group(name: str, values: Mapping[str, Any]) -> ClusterGroup:
    clusters = values["clusters"]
    own = clusters if isinstance(clusters, Mapping) else dict.fromkeys(clusters)
    options = {k: v for k, v in values.items() if k not in _OWN}
    return ClusterGroup(
        name=name,
        schedule=values.get("schedule"),
        clusters={k: v or {} for k, v in own.items()},
        options=options,
    )
