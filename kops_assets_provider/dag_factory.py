"""DAGs that mirror a cluster's assets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, cast

from airflow.sdk import DAG

from kops_assets_provider.airflow_versions import literal
from kops_assets_provider.dag_params import dry_run_param
from kops_assets_provider.options.table import LIST_OPTIONS, OPTIONS
from kops_assets_provider.task_groups.copy_assets import (
    RETRIES,
    check_assets_tasks,
    copy_assets_tasks,
    copy_fleet_tasks,
)
from kops_assets_provider.task_groups.options import CopyAssetsOptions, refuse_unknown

# Each task reads the DAG file first, so what only its work needs is imported where it is done.
if TYPE_CHECKING:
    from kops_assets_provider.mirror.lists.fleet_file import ClusterGroup

__all__ = ["kops_check_assets_dag", "kops_copy_assets_dag", "kops_copy_fleet_dags"]

_DOC = """\
Mirrors everything that a kOps cluster downloads, container images and files, into the registry and
the file repository that its `spec.assets` names.

`get_assets` computes the list, `plan_images` and `plan_files` ask the targets what is missing, each
missing asset is copied by a task of its own, and `report` says what became of every one. To try
failed copies again, clear them together with their downstream tasks.
"""
_FLEET_DOC = """\
Mirrors what the clusters of the group `{group}` download: what they share is copied once.

`get_assets` computes their lists, `plan_images` and `plan_files` ask the targets what is missing,
each missing asset is copied by a task of its own, `publish_readiness` says of each cluster what
became of its assets, and `report` of the whole group. To try failed copies again, clear them
together with their downstream tasks.
"""
_BY_FORM = "{{ params.get('dry_run') or false }}"
_CHECK_DOC = """\
Asks whether the mirror of a kOps cluster has everything that the cluster downloads, and writes
nothing. `check` says how every asset stands, and fails if one is missing or wrong. Then run the DAG
that copies.
"""


def kops_copy_assets_dag(
    dag_id: str = "kops_copy_assets",
    *,
    schedule: Any = None,
    dag_options: dict[str, Any] | None = None,
    **options: Unpack[CopyAssetsOptions],
) -> DAG:
    """
    Return a DAG that mirrors one cluster's assets.

    Its trigger form has a switch for a dry run, unless ``options`` have ``dry_run`` or
    ``dag_options`` have ``params``.

    :param schedule: the DAG's schedule, as Airflow takes it; None for a DAG that is only triggered.
    :param dag_options: further arguments of ``airflow.sdk.DAG``.
    :param options: what to mirror, from where, to where: see ``CopyAssetsOptions``.
    """
    form = {} if "dry_run" in options else {"params": {"dry_run": dry_run_param()}}
    own = cast("CopyAssetsOptions", {"dry_run": _BY_FORM, **options})
    with _dag(dag_id, schedule, _DOC, form | (dag_options or {})) as dag:
        copy_assets_tasks(**own)
    return dag


def kops_check_assets_dag(
    dag_id: str = "kops_check_assets",
    *,
    schedule: Any = None,
    dag_options: dict[str, Any] | None = None,
    **options: Unpack[CopyAssetsOptions],
) -> DAG:
    """
    Return a DAG that checks one cluster's mirror.

    It writes nothing, and fails if assets are missing.

    The parameters are those of ``kops_copy_assets_dag``; options that are about copying have no
    effect.
    """
    with _dag(dag_id, schedule, _CHECK_DOC, dag_options) as dag:
        check_assets_tasks(**options)
    return dag


def kops_copy_fleet_dags(
    path: str | Path,
    *,
    dag_id_prefix: str = "kops_copy_assets_",
    dag_options: dict[str, Any] | None = None,
    **options: Unpack[CopyAssetsOptions],
) -> list[DAG]:
    """
    Return a DAG for each group of clusters in a fleet file, a YAML file: docs/fleets.md.

    :param path: path of the fleet file on the machine that parses DAG files; it is read at once.
    :param dag_id_prefix: the id of a group's DAG is this prefix and the group's name.
    :param dag_options: further arguments of ``airflow.sdk.DAG``.
    :param options: those that hold for all groups, unless the file says otherwise; such as
        ``on_readiness_change``, which a file cannot say.
    :raises InvalidInputError: the file is wrong, with every problem.
    """
    from kops_assets_provider.mirror.lists.fleet_file import read_fleet_file

    refuse_unknown(options)
    of_group = [x.name for x in OPTIONS.values() if x.in_fleet_file]
    of_cluster = [x.name for x in LIST_OPTIONS if x.in_fleet_file]
    groups = read_fleet_file(path, of_group, of_cluster)
    return [_fleet_dag(x, dag_id_prefix, dag_options, options) for x in groups]


def _fleet_dag(
    group: ClusterGroup, prefix: str, dag_options: dict[str, Any] | None, options: CopyAssetsOptions
) -> DAG:
    doc = _FLEET_DOC.format(group=group.name)
    by_file = {name: _as_data(name, value) for name, value in group.options.items()}
    own = cast("CopyAssetsOptions", {"dry_run": _BY_FORM, **options, **by_file})
    form = {} if own["dry_run"] != _BY_FORM else {"params": {"dry_run": dry_run_param()}}
    with _dag(f"{prefix}{group.name}", group.schedule, doc, form | (dag_options or {})) as dag:
        copy_fleet_tasks(group.name, group.clusters, **own)
    return dag


def _as_data(option: str, value: Any) -> Any:
    """Keep Airflow from rendering what a file says: templates are for authors of DAGs."""
    return literal(value) if OPTIONS[option].is_template else value


def _dag(dag_id: str, schedule: Any, doc_md: str, options: dict[str, Any] | None) -> DAG:
    defaults: dict[str, Any] = {
        "catchup": False,
        "max_active_runs": 1,
        "doc_md": doc_md,
        "tags": ["kops"],
    }
    own = dict(options or {})
    own["default_args"] = RETRIES | (own.get("default_args") or {})
    return DAG(dag_id, schedule=schedule, **(defaults | own))
