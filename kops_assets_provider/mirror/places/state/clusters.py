"""
A cluster in a state store.

The paths are those of ``pkg/apis/kops/registry/registry.go`` and of
``pkg/client/simple/vfsclientset``, kOps v1.36.2: what the user specified lies below
``<state store>/<cluster>/``, what kOps noted when it last updated the cluster below
``spec.configBase``, which is the same place unless the spec says otherwise.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from kops_assets_provider.exceptions import (
    AccessDeniedError,
    InvalidClusterError,
    InvalidInputError,
    NotFoundError,
    TransientError,
)
from kops_assets_provider.files.targets import show_place
from kops_assets_provider.kops.cluster import Cluster, make_cluster
from kops_assets_provider.kops.cluster_name import EXPECTED_NAME, is_cluster_name
from kops_assets_provider.kops.documents import YamlError, load_documents
from kops_assets_provider.kops.semver import parse_version
from kops_assets_provider.kops.spec_fields import value_at
from kops_assets_provider.mirror.places.state.places import StateStores
from kops_assets_provider.mirror.places.state.ports import PRIVATE, StateStore

_READERS = 8
_SHOWN_NAMES = 20
_VERSION_FILE = "kops-version.txt"


def read_stored_cluster(store: StateStore, name: str) -> Cluster:
    """
    Read a cluster's spec, its instance groups and its additional objects.

    :raises NotFoundError: the store has no such cluster; the message names those that it has.
    :raises InvalidInputError: the name is none, or a document is not right; with every problem.
    :raises TransientError: also if a document vanished while the cluster was read.
    """
    if not is_cluster_name(name) or name in PRIVATE:
        raise InvalidInputError(f"cluster name {name!r}", [EXPECTED_NAME])
    with ThreadPoolExecutor(_READERS, thread_name_prefix="state") as pool:
        contents = _read_contents(store, name, pool)
    documents = [
        document
        for path, content in contents.items()
        for document in _documents(content, f"{store.place}/{path}")
    ]
    return make_cluster(documents, f"{store.place}/{name}")


def _read_contents(store: StateStore, name: str, pool: ThreadPoolExecutor) -> dict[str, bytes]:
    """Read in two rounds: what has a name that we know, and then what the listings name."""
    reading = pool.submit(store.read, f"{name}/config")
    groups = pool.submit(store.list, f"{name}/instancegroup")
    addons = pool.submit(store.list, f"{name}/clusteraddons")
    config = reading.result()
    if config is None:
        raise NotFoundError(_missing(store, name))
    paths = [f"{name}/instancegroup/{x}" for x in groups.result() if not x.endswith("/")]
    # Never at a guess: S3 denies what is not there, unless one may list the whole bucket.
    paths += [f"{name}/clusteraddons/{x}" for x in addons.result() if x == "default"]
    found = zip(paths, pool.map(store.read, paths), strict=True)
    return {f"{name}/config": config} | {x: _there(store, x, content) for x, content in found}


def _there(store: StateStore, path: str, content: bytes | None) -> bytes:
    if content is None:
        problem = "it was there when listed, and is gone: the cluster is being changed; try again"
        raise TransientError(f"{store.place}/{path}: {problem}")
    return content


def stored_kops_version(stores: StateStores, state_store: str, cluster: Cluster) -> str:
    """
    Return the kOps release that a cluster was last updated with.

    :raises InvalidInputError: it never was, the note of it says no version, or the spec leads for
        it to where nobody should follow.
    """
    beside = f"{state_store.rstrip('/')}/{cluster.name}"
    base = value_at(cluster.spec, "configBase") or value_at(cluster.spec, "configStore.base")
    store = stores.open(_followable(str(base), state_store) if base else beside)
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


def _followable(base: str, state_store: str) -> str:
    """Return ``base`` unless it leads to secrets, or to where the state store's rights are not."""
    kind = _scheme(state_store)
    problems = []
    if _scheme(base) != kind:
        problems.append(f"expected {kind}://, as the state store is, whose rights we have")
    # The folder that the state store itself is in may be called anything.
    if PRIVATE.intersection(_parts(base.removeprefix(f"{state_store.rstrip('/')}/"))):
        problems.append("what is in pki/ and secrets/ is never read")
    if problems:
        where = f"configBase {show_place(base)} is not followed"
        raise InvalidInputError(where, [*problems, "say kops_version instead"])
    return base


def _scheme(place: str) -> str:
    scheme, found, _ = place.partition("://")
    return scheme if found else "file"


def _parts(place: str) -> list[str]:
    """Return the parts of a place's path; a bucket is none of them."""
    _, found, rest = place.partition("://")
    return (rest.partition("/")[2] if found else place).split("/")


def _documents(content: bytes, where: str) -> list[object]:
    try:
        return load_documents(content.decode("utf-8-sig"))
    except (YamlError, UnicodeDecodeError) as err:
        problem = str(err) if isinstance(err, YamlError) else f"it is not UTF-8: {err.reason}"
        raise InvalidClusterError(where, [problem]) from err


def _missing(store: StateStore, name: str) -> str:
    what = f"{store.place} has no cluster {name!r}: there is no {name}/config"
    try:
        names = [x.removesuffix("/") for x in store.list() if x.endswith("/")]
    except AccessDeniedError as err:
        return f"{what}; which clusters it has instead cannot be listed: {err}"
    shown = ", ".join(names[:_SHOWN_NAMES]) or "none"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{what}; it has {shown}{more}"
