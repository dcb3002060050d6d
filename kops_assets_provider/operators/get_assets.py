"""What a cluster downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context

from kops_assets_provider.mirror.lists import list_cluster, read_shas
from kops_assets_provider.operators.errors import told_to_airflow
from kops_assets_provider.operators.values import as_flag, as_mapping, as_optional, as_required


class KopsGetAssetsOperator(BaseOperator):
    """
    Compute a cluster's asset list as ``kops get assets`` does, without kops or a cloud account.

    Returns the list with the keys of ``kops get assets -o json``, and ``cluster``, ``kops_version``
    and ``record_url`` beside them.

    :param cluster_spec: path of the cluster's manifest on the worker, or its text: the Cluster and
        its InstanceGroup documents, as ``kops get --name CLUSTER -o yaml`` prints them. (templated)
    :param kops_version: the kOps release that the cluster is, or will be, updated with. (templated)
    :param any_kubernetes_version: list also for a Kubernetes version that the release does not
        support. (templated)
    :param sha_file: path of a YAML file, ``canonical URL: SHA-256``, of hashes that take precedence
        over the release's own and over those fetched beside a file. (templated)
    :param source_rewrites: prefixes of canonical URLs, and where hashes are really fetched.
        (templated)
    """

    template_fields: Sequence[str] = (
        "cluster_spec",
        "kops_version",
        "any_kubernetes_version",
        "sha_file",
        "source_rewrites",
    )
    ui_color = "#d7e8f7"

    def __init__(
        self,
        *,
        cluster_spec: str,
        kops_version: str,
        any_kubernetes_version: bool | str = False,
        sha_file: str | None = None,
        source_rewrites: Mapping[str, str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.cluster_spec = cluster_spec
        self.kops_version = kops_version
        self.any_kubernetes_version = any_kubernetes_version
        self.sha_file = sha_file
        self.source_rewrites = source_rewrites

    def execute(self, context: Context) -> dict[str, Any]:
        """Return the list."""
        with told_to_airflow(context):
            sha_file = as_optional(self.sha_file)
            found = list_cluster(
                as_required("cluster_spec", self.cluster_spec),
                as_required("kops_version", self.kops_version),
                find_sha=read_shas(sha_file) if sha_file else None,
                any_kubernetes_version=as_flag(
                    "any_kubernetes_version", self.any_kubernetes_version
                ),
                source_rewrites=as_mapping("source_rewrites", self.source_rewrites),
            )
        images, files = len(found.assets.images), len(found.assets.files)
        self.log.info("%s: %d images, %d files", found.cluster, images, files)
        return found.to_dict()
