"""What a cluster downloads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from kops_assets_provider.operators.errors import translate_errors
from kops_assets_provider.operators.place_parameters import FileStoresOperator
from kops_assets_provider.options.copy_options import SOURCE_REWRITES
from kops_assets_provider.options.list_options import KOPS_COMMAND, OUTPUT_URL, SHA_FILE
from kops_assets_provider.options.table import LIST_OPTIONS

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.get_list import AssetList, ListRequest
    from kops_assets_provider.mirror.lists.kops_command import KopsCommand
    from kops_assets_provider.mirror.places.state.places import StateStores

__all__ = ["KopsGetAssetsOperator"]

HASH_SOURCES_KEY = "hash_sources"


class KopsGetAssetsOperator(FileStoresOperator):
    """
    Get a cluster's asset list: computed as ``kops get assets`` does, by kops itself, or saved.

    Returns the list with the keys of ``kops get assets -o json``, and ``cluster``,
    ``kops_version`` and ``warnings`` beside them. Where each file's hash is from is under the XCom
    key ``hash_sources``.

    :param cluster_spec: the cluster's manifest: the Cluster and its InstanceGroups, as ``kops get
        --name CLUSTER -o yaml`` prints them. A path on the workers, or the text itself. (templated)
    :param state_store: instead of a manifest, kOps' state store: ``s3://…``, ``gs://…`` or a
        directory. (templated)
    :param cluster_name: the cluster's name in the state store. (templated)
    :param asset_list: a saved list, YAML or JSON, to read instead of computing one: a file,
        ``s3://…``, ``gs://…`` or ``https://…``. (templated)
    :param kops_version: the kOps release that the cluster is, or will be, updated with, such as
        ``1.36.2``; by default that of the last update if there is a state store. Several versions,
        with commas between them, give the assets that any of them needs. (templated)
    :param kubernetes_version: the Kubernetes version to list for instead of the spec's, to prepare
        an upgrade. Several versions, the old and the new one for instance, give the assets that any
        of them needs. (templated)
    :param kops_command: a ``kops`` program that computes the list from the state store. It must be
        installed on the workers. (templated)
    :param nearest_release: compute the list of an unknown patch release with the rules of the
        nearest known one. (templated)
    :param any_kubernetes_version: list also for a Kubernetes version that the kOps release does not
        support. (templated)
    :param extended: add the images and files that the cluster uses and kOps does not list.
        (templated)
    :param extra_images: names of images to add to the list. (templated)
    :param extra_files: URLs of files to add to the list, each with its SHA-256 if you know it. A
        mapping of URLs to a SHA-256 or ``null``, or a list of URLs. (templated)
    :param sha_file: a YAML file, ``canonical URL: SHA-256``, of hashes that you pin yourself. They
        take precedence over the release's own hashes and over those fetched beside a file.
        (templated)
    :param source_rewrites: prefixes of canonical names and URLs, each with the place that these are
        really fetched from, such as a pull-through cache. Names and hashes stay the same.
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
            if output_url := OUTPUT_URL.read(self.output_url):
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

        request = [x for x in LIST_OPTIONS if x not in (KOPS_COMMAND, OUTPUT_URL, SHA_FILE)]
        values = {x.name: getattr(self, x.name) for x in request} | own
        sha_file = SHA_FILE.read(own.get(SHA_FILE.name, self.sha_file))
        return ListRequest(
            **{x.name: x.read(values[x.name]) for x in request},
            find_sha=read_shas(sha_file) if sha_file else None,
            source_rewrites=SOURCE_REWRITES.read(self.source_rewrites),
        )

    def on_kill(self) -> None:
        """End kops, if it runs or is about to."""
        self._killed = True
        if self._kops:
            self._kops.stop()

    @contextmanager
    def _opened_kops(self) -> Iterator[KopsCommand | None]:
        program = KOPS_COMMAND.read(self.kops_command)
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
