"""
A cluster in a state store.

The paths are those of ``pkg/apis/kops/registry/registry.go`` and of
``pkg/client/simple/vfsclientset``, kOps v1.36.2: what the user specified lies below
``<state store>/<cluster>/``, what kOps noted when it last updated the cluster below
``spec.configBase``, which is the same place unless the spec says otherwise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kops_assets_provider.exceptions import InvalidClusterError, InvalidInputError, NotFoundError
from kops_assets_provider.kops.cluster import Cluster, make_cluster
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.kops.fields import value_at
from kops_assets_provider.kops.semver import parse_version
from kops_assets_provider.mirror.state.places import StateStores
from kops_assets_provider.mirror.state.ports import StateStore

_READERS = 8
_SHOWN_NAMES = 20
_VERSION_FILE = "kops-version.txt"


def read_stored_cluster(store: StateStore, name: str) -> Cluster:
    """
    Read a cluster's spec, its instance groups and its additional objects.

    :raises NotFoundError: the store has no such cluster; the message names those that it has.
    :raises InvalidInputError: the name is none, or a document is not right; with every problem.
    """
    if not name or "/" in name:
        raise InvalidInputError(f"cluster name {name!r}", ["it is none"])
    config = store.read(f"{name}/config")
    if config is None:
        raise NotFoundError(_missing(store, name))
    groups = [x for x in store.list(f"{name}/instancegroup") if not x.endswith("/")]
    paths = [f"{name}/instancegroup/{x}" for x in groups] + [f"{name}/clusteraddons/default"]
    with ThreadPoolExecutor(_READERS, thread_name_prefix="state") as pool:
        contents = [config, *pool.map(store.read, paths)]
    documents = [
        document
        for path, content in zip([f"{name}/config", *paths], contents, strict=True)
        if content is not None
        for document in _documents(content, f"{store.place}/{path}")
    ]
    return make_cluster(documents, f"{store.place}/{name}")


def stored_kops_version(stores: StateStores, state_store: str, cluster: Cluster) -> str:
    """
    Return the kOps release that a cluster was last updated with.

    :raises InvalidInputError: it never was, or the note of it says no version.
    """
    base = value_at(cluster.spec, "configBase") or value_at(cluster.spec, "configStore.base")
    store = stores.open(str(base or f"{state_store.rstrip('/')}/{cluster.name}"))
    where = f"{store.place}/{_VERSION_FILE}"
    noted = store.read(_VERSION_FILE)
    if noted is None:
        problem = (
            "there is none, so the cluster was never updated; say which kOps release it is for"
        )
        raise InvalidInputError(where, [problem])
    version = noted.decode("ascii", "replace").strip()
    if parse_version(version.removeprefix("v")) is None:
        raise InvalidInputError(where, [f"it says {version[:40]!r}, which is no kOps release"])
    return version


def _documents(content: bytes, where: str) -> list[object]:
    try:
        return load_documents(content.decode("utf-8-sig"))
    except (YamlError, UnicodeDecodeError) as err:
        problem = str(err) if isinstance(err, YamlError) else f"it is not UTF-8: {err.reason}"
        raise InvalidClusterError(where, [problem]) from err


def _missing(store: StateStore, name: str) -> str:
    names = [x.removesuffix("/") for x in store.list() if x.endswith("/")]
    shown = ", ".join(names[:_SHOWN_NAMES]) or "none"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{store.place} has no cluster {name!r}: there is no {name}/config; it has {shown}{more}"
