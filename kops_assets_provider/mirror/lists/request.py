"""What to list, and how."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kops_assets_provider.exceptions import InvalidInputError
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.inventory import FindSha

_NOT_SET = (
    "it is not set: give it to the DAG, in its Variable or in the run's form; to the command as "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """
    What to list, and how.

    :param cluster_spec: a manifest's path, or its text: the Cluster and its InstanceGroup
        documents.
    :param from_shell: that path may also be ``-`` for standard input, or lead to a pipe.
    :param state_store: instead of that, where the cluster lives: ``s3://…``, ``gs://…`` or a
        directory, and ``cluster_name`` in it.
    :param asset_list: a saved list to read instead of computing one: a file, ``s3://…``, ``gs://…``
        or ``https://…``.
    :param kops_version: the kOps release; that of the cluster's last update if it is in a state
        store. Several give all that any of them lists: what a cluster needs while it is updated.
    :param kubernetes_version: instead of the spec's; several likewise, since a rolling update has
        old and new nodes at once.
    :param nearest_release: compute an unknown patch release with the catalogue of the nearest one.
    :param any_kubernetes_version: list also for a version that the release does not support.
    :param extended: add what the cluster uses and kOps does not list.
    :param extra_images: names to add, and ``extra_files``: URLs to their SHA-256 or None.
    :param find_sha: asked first for a file's sha, before the release's own hashes and the network.
    :param fetch_hashes: fetch the hashes that nobody knows; they are None otherwise.
    :param source_rewrites: prefixes of canonical URLs, and where hashes are really fetched.
    """

    cluster_spec: str | None = None
    from_shell: bool = False
    state_store: str | None = None
    cluster_name: str | None = None
    asset_list: str | None = None
    kops_version: str | Sequence[str] | None = None
    kubernetes_version: str | Sequence[str] | None = None
    nearest_release: bool = False
    any_kubernetes_version: bool = False
    extended: bool = False
    extra_images: tuple[str, ...] = ()
    extra_files: Mapping[str, str | None] = field(default_factory=dict)
    find_sha: FindSha | None = None
    fetch_hashes: bool = True
    source_rewrites: Mapping[str, str] = field(default_factory=dict)

    def check(self, *, by_kops: bool = False) -> None:
        """Raise InvalidInputError, with every problem, if the parameters do not go together."""
        problems = []
        if not (self.cluster_spec or self.state_store or self.asset_list):
            problems.append(f"cluster_spec: {_NOT_SET}--spec; or state_store and cluster_name")
        if self.cluster_spec and self.state_store:
            problems.append("cluster_spec and state_store: give one of them")
        problems += self._wrong_name()
        if by_kops and self.asset_list:
            problems.append("kops_command and asset_list: give one of them")
        if by_kops and not self.state_store:
            problems.append("kops_command: it reads a state store, so give state_store too")
        if self.cluster_spec and not (self.kops_versions or self.asset_list):
            problems.append(f"kops_version: {_NOT_SET}--kops-version")
        if by_kops or self.asset_list:
            problems += self._rehearsals("kops_command" if by_kops else "asset_list")
        if self.adds and self.asset_list and not (self.cluster_spec or self.state_store):
            what = "extended, extra_images and extra_files need the cluster's spec beside the list"
            problems.append(f"{what}: give cluster_spec, or state_store and cluster_name")
        if problems:
            raise InvalidInputError("parameters", problems)

    def _wrong_name(self) -> Iterator[str]:
        if self.state_store and not self.cluster_name:
            yield f"cluster_name: {_NOT_SET}--name, since there is a state store"
        if self.cluster_name and not is_cluster_name(self.cluster_name):
            yield f"cluster_name is {self.cluster_name!r}, {EXPECTED_NAME}"

    def _rehearsals(self, fixed: str) -> list[str]:
        problems = []
        if self.kubernetes_versions:
            problems.append(f"kubernetes_version and {fixed}: the list's own version is fixed")
        if len(self.kops_versions) > 1:
            problems.append(f"kops_version: one, since there is {fixed}")
        return problems

    @property
    def kops_versions(self) -> tuple[str, ...]:
        """The kOps releases that are asked for, in order; none if it is left to the store."""
        return split_versions(self.kops_version)

    @property
    def kubernetes_versions(self) -> tuple[str, ...]:
        """The Kubernetes versions to list for instead of the spec's."""
        return split_versions(self.kubernetes_version)

    @property
    def adds(self) -> bool:
        """Whether anything is to be added to what kOps lists."""
        return bool(self.extended or self.extra_images or self.extra_files)


def split_versions(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return versions, each once, also from text with commas or blanks between them."""
    texts = [value] if isinstance(value, str) else value or []
    found = [x for text in texts for x in re.split(r"[\s,]+", text) if x]
    return tuple(dict.fromkeys(found))
