"""A Cluster and its InstanceGroups, read from the YAML that ``kops get -o yaml`` writes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kops_assets_provider.exceptions import InvalidClusterError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.kops.remap import Locations
from kops_assets_provider.kops.semver import parse_kubernetes_version
from kops_assets_provider.kops.spec_fields import value_at
from kops_assets_provider.kops.v1alpha3 import to_v1alpha2
from kops_assets_provider.kops.validation import METAL, group_problems, spec_problems
from kops_assets_provider.regular_files import read_document, read_within

_GROUPS = {"kops.k8s.io", "kops"}
_VERSIONS = {"v1alpha2", "v1alpha3"}
# Stored beside a cluster, without influence on its assets.
_OTHER_KINDS = {"Host", "Keyset", "SSHCredential"}
_CLOUD_LABEL = "alpha.kops.k8s.io/cloud"
_ADDON_LABEL = "addon.kops.k8s.io/name"
_CONTAINERS = {("containers",), ("initContainers",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceGroup:
    """An InstanceGroup's name and spec."""

    name: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster as kOps' state store has it: specs in v1alpha2's spelling, defaults not filled."""

    name: str
    cloud: str
    spec: Mapping[str, Any]
    instance_groups: tuple[InstanceGroup, ...]
    additional_objects: tuple[Mapping[str, Any], ...]

    @property
    def locations(self) -> Locations:
        """Where the cluster wants its assets from (``spec.assets``)."""
        return Locations(
            container_registry=value_at(self.spec, "assets.containerRegistry"),
            container_proxy=value_at(self.spec, "assets.containerProxy"),
            file_repository=value_at(self.spec, "assets.fileRepository"),
        )

    def with_kubernetes_version(self, version: str) -> Cluster:
        """Return the cluster as it would be with another version; raises InvalidClusterError."""
        if parse_kubernetes_version(version) is None:
            problem = f"{version!r} is no version, such as 1.36.0"
            raise InvalidClusterError("Kubernetes version", [problem])
        return replace(self, spec=_settled({**self.spec, "kubernetesVersion": version}))

    def replaces(self, addon: str) -> bool:
        """Tell whether an additional object carries the label of a built-in addon."""
        return any(
            value_at(o, "metadata.labels") and o["metadata"]["labels"].get(_ADDON_LABEL) == addon
            for o in self.additional_objects
        )

    def additional_images(self) -> list[str]:
        """
        Return the images of all containers in the additional objects, at any depth.

        Rule: ``pkg/kubemanifest/images.go``, v1.36.2.
        """
        return [image for o in self.additional_objects for image in _images(o, ())]


def read_cluster(path: str | Path, *, from_shell: bool = False) -> Cluster:
    """
    Read a cluster from a file of at most 16 MiB.

    :param from_shell: the path may also be ``-`` for standard input, or that of a pipe.
    :raises InvalidClusterError: with every problem of the documents
    :raises OSError: the file cannot be read, is not a regular one, or is too long
    """
    standard_input = from_shell and str(path) == "-"
    where = "standard input" if standard_input else str(path)
    if standard_input and sys.stdin is None:
        raise InvalidClusterError(where, ["it is closed"])
    if standard_input:
        data = read_within(sys.stdin.buffer, where)
    else:
        data = read_document(path, pipes=from_shell)
    try:
        return load_cluster(data.decode("utf-8-sig"), where)
    except UnicodeDecodeError as err:
        raise InvalidClusterError(where, [f"it is not text in UTF-8: {err.reason}"]) from err


def load_cluster(text: str, where: str = "cluster spec") -> Cluster:
    """
    Read one Cluster, its InstanceGroups, and additional objects, from YAML documents.

    :param where: what to call the text in an error
    :raises InvalidClusterError: with every problem of the documents
    """
    try:
        return make_cluster(load_documents(text), where)
    except YamlError as err:
        raise InvalidClusterError(where, [str(err)]) from err


def make_cluster(documents: Iterable[object], where: str) -> Cluster:
    """
    Return the cluster that parsed documents describe, wherever each of them was read from.

    :raises InvalidClusterError: with every problem of the documents
    """
    reader = _Reader()
    for number, document in enumerate(documents, 1):
        reader.add(number, document)
    cluster = reader.cluster()
    if cluster is None or reader.problems:
        raise InvalidClusterError(where, reader.problems)
    return cluster


class _Reader:
    """Sorts the documents by kind and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._clusters: list[Mapping[str, Any]] = []
        self._groups: list[Mapping[str, Any]] = []
        self._objects: list[Mapping[str, Any]] = []

    def add(self, number: int, document: object) -> None:
        kind = value_at(document, "kind") if isinstance(document, dict) else None
        api = value_at(document, "apiVersion") if isinstance(document, dict) else None
        if not (isinstance(document, dict) and isinstance(kind, str) and isinstance(api, str)):
            self.problems.append(f"document {number} has no apiVersion and kind")
            return
        group, _, version = api.rpartition("/")
        if group not in _GROUPS:
            self._objects.append(document)
        elif version not in _VERSIONS:
            self.problems.append(f"document {number} has the unknown apiVersion {api}")
        elif kind in {"Cluster", "InstanceGroup"}:
            self._add_ours(number, document, kind)
        elif kind not in _OTHER_KINDS:
            self.problems.append(f"document {number} has the unknown kind {kind}")

    def _add_ours(self, number: int, document: Mapping[str, Any], kind: str) -> None:
        blocks = {
            path: value_at(document, path) for path in ("metadata", "metadata.labels", "spec")
        }
        wrong = [p for p, value in blocks.items() if not isinstance(value, dict | None)]
        name = value_at(document, "metadata.name")
        self.problems += [
            f"{kind} in document {number}: {path} must be a mapping" for path in wrong
        ]
        if not isinstance(name, str) or not name:
            self.problems.append(f"{kind} in document {number} has no metadata.name")
        elif kind == "Cluster" and not is_cluster_name(name):
            problem = f"metadata.name is {name!r}, {EXPECTED_NAME}"
            self.problems.append(f"{kind} in document {number}: {problem}")
        elif not wrong:
            (self._clusters if kind == "Cluster" else self._groups).append(document)

    def cluster(self) -> Cluster | None:
        if len(self._clusters) != 1:
            names = ", ".join(c["metadata"]["name"] for c in self._clusters)
            said = f"{len(self._clusters)} Cluster documents ({names})" if names else "no Cluster"
            self.problems.append(f"there must be one Cluster document, and there is {said}")
            return None
        document = self._clusters[0]
        name, spec = document["metadata"]["name"], document.get("spec") or {}
        if document["apiVersion"].endswith("v1alpha3"):
            spec, problems = to_v1alpha2(spec)
            self.problems += problems
        label = value_at(document, "metadata.labels") or {}
        cloud = METAL if label.get(_CLOUD_LABEL) == METAL else spec.get("cloudProvider") or ""
        self.problems += spec_problems(spec, cloud)
        self.problems += group_problems(name, self._groups)
        return Cluster(
            name=name,
            cloud=cloud,
            spec=_settled(spec),
            instance_groups=self._instance_groups(),
            additional_objects=tuple(self._objects),
        )

    def _instance_groups(self) -> tuple[InstanceGroup, ...]:
        return tuple(
            InstanceGroup(name=group["metadata"]["name"], spec=group.get("spec") or {})
            for group in self._groups
        )


def _settled(spec: Mapping[str, Any]) -> dict[str, Any]:
    # kOps normalises blanks and a leading v away before it looks at anything.
    version = spec.get("kubernetesVersion")
    version = version.strip().removeprefix("v") if isinstance(version, str) else version
    return {**spec, "kubernetesVersion": version}


def _images(value: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _images(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner, (*path, "[]"))
    elif isinstance(value, str) and path[-1:] == ("image",) and path[-3:-2] in _CONTAINERS:
        yield value
