"""
A whole Airflow whose tasks run on Celery's workers, with PostgreSQL and Redis between them.

The environment needs ``apache-airflow-providers-celery`` and the drivers of both.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from tests.support.local_airflow import COMPONENTS, LocalAirflow

WORKERS = ("worker-1", "worker-2")
_SLOTS = 4
_NAME = "AIRFLOW_TESTING_HOST"


def host_name() -> str:
    """Return the name that a component has as a host: all of them are on this one."""
    return os.environ.get(_NAME) or socket.gethostname()


def _worker(name: str) -> list[str]:
    own = ["-H", f"{name}@127.0.0.1", "--pid", f"{name}.pid"]
    # Its log server would listen on all interfaces.
    return ["celery", "worker", "-c", str(_SLOTS), "--skip-serve-logs", *own]


class CeleryAirflow(LocalAirflow):
    """
    An Airflow with two workers of four slots, see :class:`LocalAirflow`.

    A worker that does not answer for twenty seconds is taken for dead, and its tasks are tried
    again: Airflow's default is five minutes.

    :param database: of PostgreSQL, as :func:`postgresql` gives it.
    :param broker: URL of Redis.
    """

    components: ClassVar = {**COMPONENTS, **{name: _worker(name) for name in WORKERS}}
    stop_order: ClassVar = ("scheduler", *WORKERS, "dag-processor", "api-server")

    def __init__(
        self, home: Path, dags_folder: Path, database: str, broker: str, **options: Any
    ) -> None:
        env = {
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": f"{__name__}.host_name",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{database}",
            "AIRFLOW__CELERY__BROKER_URL": broker,
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+postgresql+psycopg2://{database}",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
        }
        super().__init__(home, dags_folder, env={**env, **options.pop("env", {})}, **options)

    def env_of(self, name: str) -> dict[str, str]:
        """Let each worker tell tasks' hosts apart."""
        return {_NAME: name} if name in WORKERS else {}

    def kill_worker(self, name: str) -> None:
        """Kill a worker and all tasks that run on it, as when its machine is gone."""
        self._servers[name].kill()

    def _is_healthy(self, name: str, since: datetime) -> bool:
        if name not in WORKERS:
            return super()._is_healthy(name, since)
        log = self._servers[name].log
        return log.exists() and f"{name}@127.0.0.1 ready" in log.read_text(errors="replace")
