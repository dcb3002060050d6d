"""What tests need of Airflow that has another name, or works differently, in an older release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib.metadata import version
from typing import Any
from unittest.mock import patch

from airflow.sdk.execution_time import supervisor
from packaging.version import Version

AIRFLOW = Version(version("apache-airflow")).release[:2]
# Tasks have kept values over their tries since then; before that the log has their progress.
HAS_TASK_STATE = AIRFLOW >= (3, 3)

if AIRFLOW >= (3, 2):
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
else:
    from airflow.metrics.base_stats_logger import NoStatsLogger


def dag_bag(folder: str) -> Any:
    """Return a ``DagBag`` of the DAG files in a folder."""
    if AIRFLOW >= (3, 2):
        from airflow.dag_processing.dagbag import DagBag
    else:
        from airflow.models.dagbag import DagBag
    return DagBag(folder)


def run_in_process(dag: Any, conf: Mapping[str, Any] | None = None) -> Any:
    """Run a DAG in this process, and return the run."""
    if AIRFLOW < (3, 2):
        _write_anew(dag)
    with ExitStack() as patches:
        if AIRFLOW < (3, 3):
            # Every task would make an API server of its own, which takes longer than all its work.
            patches.enter_context(patch.object(supervisor, "in_process_api_server", _api_server))
        return dag.test(run_conf=dict(conf or {}))


_api_server = cache(supervisor.in_process_api_server)


def _write_anew(dag: Any) -> None:
    """Replace the DAG in the database, where ``DAG.test`` of 3.1 leaves an older one of its id."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import LazyDeserializedDAG

    if known := DagVersion.get_latest_version(dag.dag_id):
        new = LazyDeserializedDAG(data=serialized(dag))
        SerializedDagModel.write_dag(new, bundle_name=known.bundle_name)


def serialized(dag: Any) -> dict[str, Any]:
    """Return a DAG as Airflow's database has it."""
    if AIRFLOW >= (3, 2):
        from airflow.serialization.serialized_objects import DagSerialization
    else:
        from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization
    return DagSerialization.to_dict(dag)


def forget_masked_secrets() -> None:
    """Make Airflow forget what it must hide; 3.1 has two lists of that."""
    from airflow.sdk._shared import secrets_masker

    secrets_masker.reset_secrets_masker()
    if AIRFLOW < (3, 2):
        from airflow._shared import secrets_masker

        secrets_masker.reset_secrets_masker()


def loaded_plugins() -> list[Any]:
    """Return the plugins that Airflow has loaded; fail if one of them could not be."""
    from airflow import plugins_manager

    if AIRFLOW >= (3, 2):
        plugins, errors = plugins_manager._get_plugins()
    else:
        plugins_manager.ensure_plugins_loaded()
        plugins, errors = plugins_manager.plugins, plugins_manager.import_errors
    assert not errors, errors
    return plugins


def known_hooks() -> Mapping[str, Any]:
    """Return what Airflow knows of the hook of each connection type."""
    if AIRFLOW >= (3, 2):
        from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime as Manager
    else:
        from airflow.providers_manager import ProvidersManager as Manager
    return Manager().hooks


@contextmanager
def metrics_client(factory: Callable[[], Any]) -> Iterator[None]:
    """Switch Airflow's metrics on, with a client of ours, and off at the end."""
    _set_metrics_client(factory)
    try:
        yield
    finally:
        _set_metrics_client(NoStatsLogger)


def _set_metrics_client(factory: Callable[[], Any]) -> None:
    if AIRFLOW >= (3, 2):
        from airflow.sdk.observability import stats
    else:
        from airflow.stats import Stats

        # A function would become a method of that class.
        type(Stats).factory, Stats.instance = staticmethod(factory), None
        return
    if AIRFLOW >= (3, 3):
        stats.initialize(factory=factory, export_legacy_names=False)
    else:
        stats.Stats.initialize(factory=factory)
