"""What a cluster downloads: the rules of a release's catalogue, applied to a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from kops_assets_provider.exceptions import InvalidClusterError, UnsupportedKubernetesError
from kops_assets_provider.kops.assets import ClusterAssets, FileAsset, ImageAsset
from kops_assets_provider.kops.catalog import Release
from kops_assets_provider.kops.catalog.entries import Default, FileRule
from kops_assets_provider.kops.cluster import Cluster
from kops_assets_provider.kops.expressions import Condition, ExpressionError, expand, holds
from kops_assets_provider.kops.remap import canonical_url, join_url, remap_file, remap_image
from kops_assets_provider.kops.semver import Version, parse_kubernetes_version
from kops_assets_provider.kops.spec_fields import value_at, with_value

FindSha: TypeAlias = Callable[[str], str | None]

# MD5, SHA-1 or SHA-256 in hex, as util/pkg/hashing/hash.go (v1.36.2) takes it.
_HASH = re.compile(r"(?:(?:md5|sha1|sha256):)?((?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}))")


def list_assets(
    cluster: Cluster,
    release: Release,
    find_sha: FindSha | None = None,
    *,
    any_kubernetes_version: bool = False,
) -> ClusterAssets:
    """
    Return what ``kops get assets`` of that release lists for the cluster, sorted by canonical.

    :param find_sha: is asked with the canonical URL of every file whose hash the spec itself
        does not give; the release's own table if None. Compose several with :func:`first_known`.
    :param any_kubernetes_version: list also for a Kubernetes version outside the release's range
    :raises UnsupportedKubernetesError: the version is outside the range
    :raises InvalidClusterError: kOps would refuse the cluster, with every reason
    """
    scope = _scope(cluster, release)
    if not any_kubernetes_version:
        _check_kubernetes(scope, release)
    try:
        _check_refusals(scope, release)
        images = sorted(set(_images(scope, release)))
        files = _files(scope, release)
    except ExpressionError as err:
        raise InvalidClusterError(cluster.name, [str(err)]) from err
    return ClusterAssets(
        images=tuple(
            ImageAsset(canonical=image, download=remap_image(image, cluster.locations))
            for image in images
        ),
        files=tuple(
            _file_asset(url, sha, cluster, find_sha or release.find_sha) for url, sha in files
        ),
    )


def first_known(*finders: FindSha) -> FindSha:
    """Return a finder that asks one after the other and takes the first hash."""

    def find(canonical: str) -> str | None:
        return next((sha for find_sha in finders if (sha := find_sha(canonical))), None)

    return find


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What the names in a catalogue mean for one cluster, or for one item of a loop."""

    cluster: Cluster
    spec: Mapping[str, Any]
    facts: Mapping[str, Condition]
    builtins: Mapping[str, str | int | bool | Version]
    root: _Scope | None = None

    def value(self, name: str) -> Any:
        if name in self.builtins:
            return self.builtins[name]
        if name in self.facts:
            # A fact speaks about the cluster, also where a loop uses it.
            return holds(self.facts[name], self.root or self)
        return value_at(self.spec, name)

    def items(self, loop: str) -> list[_Scope]:
        root = self.root or self
        return [replace(root, spec=spec, root=root) for spec in root._specs(loop)]

    def replaced(self, addon: str) -> bool:
        return self.cluster.replaces(addon)

    def _specs(self, loop: str) -> list[Mapping[str, Any]]:
        if loop == "etcd_clusters":
            return list(self.spec["etcdClusters"])
        if loop == "additional_images":
            return [{"image": image} for image in self.cluster.additional_images()]
        return [group.spec for group in self.cluster.instance_groups]


def _scope(cluster: Cluster, release: Release) -> _Scope:
    kubernetes = cluster.spec["kubernetesVersion"]
    version = parse_kubernetes_version(kubernetes) or Version(major=0)
    builtins = {
        "cloud": cluster.cloud,
        "k8s": version,
        "k8s_major": version.major,
        "k8s_minor": version.minor,
        # pkg/apis/kops/model/kubernetes_version.go (IsBaseURL), v1.36.2
        "k8s_from_url": kubernetes.startswith(("http:", "https:", "memfs:")),
        "kops": release.version,
        "kops_tag": release.version.replace("+", "-"),
    }
    scope = _Scope(cluster=cluster, spec=cluster.spec, facts=release.facts, builtins=builtins)
    for default in release.defaults:
        scope = _with_default(scope, default)
    return scope


def _with_default(scope: _Scope, default: Default) -> _Scope:
    if scope.value(default.path) not in (None, "") or not holds(default.when, scope):
        return scope
    value = expand(default.value, scope)
    return replace(scope, spec=with_value(scope.spec, default.path, value))


def _check_kubernetes(scope: _Scope, release: Release) -> None:
    version = scope.builtins["k8s"]
    if not isinstance(version, Version) or release.supports(version):
        return
    raise UnsupportedKubernetesError(
        f"{scope.cluster.name}: kOps {release.version} supports Kubernetes "
        f"{release.kubernetes_range}, not {scope.spec['kubernetesVersion']}"
    )


def _check_refusals(scope: _Scope, release: Release) -> None:
    reasons = [r.because for r in release.refusals if holds(r.when, scope)]
    if reasons:
        raise InvalidClusterError(scope.cluster.name, [expand(r, scope) for r in reasons])


def _images(scope: _Scope, release: Release) -> Iterator[str]:
    for entry in release.images:
        if not holds(entry.when, scope):
            continue
        for item in scope.items(entry.loop) if entry.loop else [scope]:
            for rule in entry.rules:
                if holds(rule.when, item):
                    yield expand(rule.image, item)


def _files(scope: _Scope, release: Release) -> list[tuple[str, str | None]]:
    found: dict[str, str | None] = {}
    for entry in release.files:
        for arch in release.architectures:
            narrow = replace(scope, builtins={**scope.builtins, "arch": arch})
            if not holds(entry.when, narrow):
                continue
            for rule in entry.rules:
                if holds(rule.when, narrow):
                    url, sha = _file(rule, narrow)
                    # kOps keeps the first of two entries with one canonical URL.
                    found.setdefault(url, sha)
    return sorted(found.items(), key=lambda pair: pair[0])


def _file(rule: FileRule, scope: _Scope) -> tuple[str, str | None]:
    url = _url(rule, scope)
    if rule.sha is None:
        return url, None
    match = _HASH.fullmatch(expand(rule.sha, scope).lower())
    if not match:
        raise ExpressionError(f"the hash given for {url} is none")
    return url, match.group(1)


def _url(rule: FileRule, scope: _Scope) -> str:
    base_or_url = expand(rule.base or rule.url, scope)
    try:
        url = canonical_url(base_or_url)
    except ValueError as err:
        raise ExpressionError(f"{base_or_url!r} is no URL: {err}") from err
    return join_url(url, expand(rule.url, scope)) if rule.base else url


def _file_asset(url: str, sha: str | None, cluster: Cluster, find_sha: FindSha) -> FileAsset:
    return FileAsset(
        canonical=url, download=remap_file(url, cluster.locations), sha=sha or find_sha(url)
    )
