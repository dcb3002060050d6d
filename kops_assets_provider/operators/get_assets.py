"""What a cluster downloads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator
from kops_assets_provider.operators.values import (
    as_flag,
    as_mapping,
    as_names,
    as_optional,
    as_shas,
    as_versions,
)

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.get_list import AssetList, ListRequest
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand
    from kops_assets_provider.mirror.places.state.places import StateStores

HASH_SOURCES_KEY = "hash_sources"
SOURCES = ("cluster_spec", "state_store", "asset_list")
"""Parameters of which one says where a list is from."""
# How a parameter's value is read: a template leaves text of whatever it was meant to be.
_TEXTS = (*SOURCES, "cluster_name")
_FLAGS = ("nearest_release", "any_kubernetes_version", "extended")
_OTHERS: Mapping[str, Callable[[str, Any], Any]] = {
    "kops_version": as_versions,
    "kubernetes_version": as_versions,
    "extra_images": as_names,
    "extra_files": as_shas,
}


class KopsGetAssetsOperator(FileStoresOperator):
    """
    Get a cluster's asset list: computed as ``kops get assets`` does, by kops itself, or saved.

    Returns the list with the keys of ``kops get assets -o json``, and ``cluster``,
    ``kops_version`` and ``warnings`` beside them. Where each file's hash is from is under the XCom
    key ``hash_sources``.

    :param cluster_spec: path of the cluster's manifest on the worker, or its text: the Cluster and
        its InstanceGroup documents, as ``kops get --name CLUSTER -o yaml`` prints them. (templated)
    :param state_store: instead of that, kOps' state store: ``s3://…``, ``gs://…`` or a directory.
        (templated)
    :param cluster_name: the cluster's name in the state store. (templated)
    :param asset_list: a saved list, YAML or JSON, to read instead of computing one: a file,
        ``s3://…``, ``gs://…`` or ``https://…``. (templated)
    :param kops_version: the kOps release that the cluster is, or will be, updated with; that of its
        last update if it is not given and there is a state store. Several give all that any of
        them lists. (templated)
    :param kubernetes_version: list for it instead of the spec's, to rehearse an upgrade; several
        likewise, since a rolling update has old and new nodes at once. (templated)
    :param kops_command: a kops program on the worker that lists instead of us, from the state
        store. (templated)
    :param nearest_release: compute the list of an unknown patch release with the rules of the
        nearest one. (templated)
    :param any_kubernetes_version: list also for a Kubernetes version that the release does not
        support. (templated)
    :param extended: add what the cluster uses and kOps does not list. (templated)
    :param extra_images: names of images to add. (templated)
    :param extra_files: URLs of files to add, with their SHA-256 or None. (templated)
    :param sha_file: path of a YAML file, ``canonical URL: SHA-256``, of hashes that take precedence
        over the release's own and over those fetched beside a file. (templated)
    :param source_rewrites: prefixes of canonical URLs, and where hashes are really fetched.
        (templated)
    :param output_url: where to save the list as well: ``s3://…``, ``gs://…`` or a file, in JSON or
        YAML by its suffix. Only a list that was saved so is replaced. (templated)

    The other parameters are those of ``FileStoresOperator``: the connections read state stores and
    saved lists and give kops its credentials.
    """

    template_fields: Sequence[str] = (
        "cluster_spec",
        "state_store",
        "cluster_name",
        "asset_list",
        "kops_version",
        "kubernetes_version",
        "kops_command",
        "nearest_release",
        "any_kubernetes_version",
        "extended",
        "extra_images",
        "extra_files",
        "sha_file",
        "source_rewrites",
        "output_url",
        *FileStoresOperator.template_fields,
    )
    ui_color = "#d7e8f7"

    def __init__(
        self,
        *,
        cluster_spec: str | None = None,
        state_store: str | None = None,
        cluster_name: str | None = None,
        asset_list: str | None = None,
        kops_version: Sequence[str] | str | None = None,
        kubernetes_version: Sequence[str] | str | None = None,
        kops_command: str | None = None,
        nearest_release: bool | str = False,
        any_kubernetes_version: bool | str = False,
        extended: bool | str = False,
        extra_images: Sequence[str] | str | None = None,
        extra_files: Mapping[str, str | None] | Sequence[str] | str | None = None,
        sha_file: str | None = None,
        source_rewrites: Mapping[str, str] | str | None = None,
        output_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_spec = cluster_spec
        self.state_store = state_store
        self.cluster_name = cluster_name
        self.asset_list = asset_list
        self.kops_version = kops_version
        self.kubernetes_version = kubernetes_version
        self.kops_command = kops_command
        self.nearest_release = nearest_release
        self.any_kubernetes_version = any_kubernetes_version
        self.extended = extended
        self.extra_images = extra_images
        self.extra_files = extra_files
        self.sha_file = sha_file
        self.source_rewrites = source_rewrites
        self.output_url = output_url
        self._kops: KopsCommand | None = None
        self._killed = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the list."""
        with translate_errors(context):
            found = self.make_list()
            if output_url := as_optional(self.output_url):
                from kops_assets_provider.mirror.lists.saved_lists import save_list

                save_list(found, output_url, self.file_stores())
        images, files = len(found.assets.images), len(found.assets.files)
        self.log.info("%s: %d images, %d files", found.cluster, images, files)
        for caveat in found.warnings:
            self.log.warning("%s: %s", caveat.code, caveat.message)
        context["ti"].xcom_push(key=HASH_SOURCES_KEY, value=found.shown_hash_sources())
        return found.to_dict()

    def make_list(self) -> AssetList:
        """Read the parameters, and get the list."""
        from kops_assets_provider.mirror.lists.get_list import make_list
        from kops_assets_provider.mirror.places.rewrites import refuse_lost_queries

        request = self.request()
        with self._opened_kops() as kops:
            found = make_list(request, self.state_stores, kops)
        refuse_lost_queries(found.assets, request.source_rewrites)
        return found

    def state_stores(self) -> StateStores:
        """Return what opens state stores."""
        from kops_assets_provider.hooks.state_store import open_state_stores

        return open_state_stores(*self.cloud_conn_ids())

    def request(self, **own: Any) -> ListRequest:
        """Return what the parameters say, and ``own`` before them; raises InvalidInputError."""
        from kops_assets_provider.mirror.lists.get_list import ListRequest, read_shas

        names = (*_TEXTS, *_FLAGS, *_OTHERS, "sha_file", "source_rewrites")
        values = {name: getattr(self, name) for name in names} | own
        sha_file = as_optional(values["sha_file"])
        read: dict[str, Any] = {
            **{name: as_optional(values[name]) for name in _TEXTS},
            **{name: as_flag(name, values[name]) for name in _FLAGS},
            **{name: reader(name, values[name]) for name, reader in _OTHERS.items()},
        }
        return ListRequest(
            **read,
            find_sha=read_shas(sha_file) if sha_file else None,
            source_rewrites=as_mapping("source_rewrites", values["source_rewrites"]),
        )

    def on_kill(self) -> None:
        """End kops, if it runs or is about to."""
        self._killed = True
        if self._kops:
            self._kops.stop()

    @contextmanager
    def _opened_kops(self) -> Iterator[KopsCommand | None]:
        program = as_optional(self.kops_command)
        if program is None:
            yield None
            return
        from kops_assets_provider.hooks.state_store import kops_environment
        from kops_assets_provider.mirror.lists.kops_command import KopsCommand

        with kops_environment(*self.cloud_conn_ids()) as env:
            self._kops = KopsCommand(program, env)
            if self._killed:
                self._kops.stop()
            yield self._kops
