"""
A whole Airflow on this machine: API server, scheduler with LocalExecutor, DAG processor, SQLite.

It listens on one port of loopback and on nothing else. It needs ``apache-airflow`` beside this
Python, but imports nothing of it: it starts programs and speaks to the REST API.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.support.airflow_api import AirflowApi, AirflowApiError
from tests.support.processes import (
    ServerProcess,
    find_program,
    free_ports,
    processes_of_session,
)

USERS = {"admin": "admin", "op": "op", "viewer": "viewer"}
"""Who may log in, and in which role. The password is the name."""

# The scheduler's log server would listen on all interfaces; the API reads the local files itself.
COMPONENTS = {
    "api-server": ["api-server"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}


class LocalAirflow:
    """
    An Airflow that runs inside a ``with`` block, and can be started again in the same home.

    However the block ends, nothing is left running. SIGTERM alone ends no block: a program that
    may get it has to make an exception of it (``signal(SIGTERM, lambda *_: sys.exit(1))``).

    :param home: directory for the database, the logs and the secrets; made if missing.
    :param dags_folder: directory with the DAG files.
    :param port: of the API server; None takes a free one.
    :param env: further environment variables, such as ``AIRFLOW_CONN_...``.
    :param parallelism: how many tasks run at once.
    :param timeout: seconds that starting may take.
    """

    components: ClassVar[Mapping[str, Sequence[str]]] = COMPONENTS
    # The scheduler waits for its tasks, and these need the API server until they end.
    stop_order: ClassVar[Sequence[str]] = ("scheduler", "dag-processor", "api-server")

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        *,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
        parallelism: int = 8,
        timeout: float = 300.0,
    ) -> None:
        self.home = home.resolve()
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = AirflowApi(self.url, "admin", "admin")
        self.dags_folder = dags_folder.resolve()
        self._extra_env = dict(env or {})
        self._parallelism = parallelism
        self._timeout = timeout
        self._servers: dict[str, ServerProcess] = {}

    @property
    def _database(self) -> Path:
        return self.home / "airflow.db"

    @property
    def env(self) -> dict[str, str]:
        """The environment of its programs, to run ``airflow`` commands against it."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            # Without bytecode every start takes twice as long.
            if not name.startswith("AIRFLOW") and name != "PYTHONDONTWRITEBYTECODE"
        }
        return {**inherited, **self._settings(), **self._secrets(), **self._extra_env}

    def env_of(self, name: str) -> dict[str, str]:
        """Return what the environment of one component has besides that of all."""
        return {}

    def start(self) -> None:
        """
        Migrate the database, start the components, and wait until all are healthy.

        :raises ComponentFailedError: one did not start; the message quotes its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        _write_private(self.home / "passwords.json", {name: name for name in USERS})
        try:
            self._launch("db-migrate", ["db", "migrate"]).wait_end(self._timeout)
            _let_readers_not_block(self._database)
            started = datetime.now(UTC)
            for name, arguments in self.components.items():
                self._launch(name, arguments)
            for name in self.components:
                is_healthy = partial(self._is_healthy, name, started)
                self._servers[name].wait_ready(is_healthy, self._timeout)
        except BaseException:
            self._kill_all()
            raise

    def stop(self, timeout: float = 30.0) -> None:
        """
        Stop everything, and wait until it is gone.

        :param timeout: seconds that running tasks have to end before they are killed.
        """
        try:
            for name in self.stop_order:
                if name in self._servers:
                    self._servers[name].stop(timeout)
        finally:
            self._kill_all()

    def processes(self) -> list[int]:
        """Return the ids of all its processes, tasks included."""
        sessions = [server.session for server in self._servers.values()]
        return [pid for session in sessions for pid in processes_of_session(session)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Who interrupts does not want to wait for the tasks.
        self.stop(30.0 if error is None else 5.0)

    def _launch(self, name: str, arguments: Sequence[str]) -> ServerProcess:
        command: list[str | Path] = [find_program("airflow"), *arguments]
        env = {**self.env, **self.env_of(name)}
        server = ServerProcess(command, self.home / f"{name}.log", env=env, cwd=self.home)
        self._servers[name] = server
        return server

    def _kill_all(self) -> None:
        # A stack goes on with the next one also when Ctrl-C comes in between.
        with ExitStack() as kills:
            for server in self._servers.values():
                kills.callback(server.kill)

    def _is_healthy(self, name: str, since: datetime) -> bool:
        """Tell whether a component has given a sign of life since then."""
        try:
            health = self.api.health()
        except (OSError, AirflowApiError):
            return False
        if name == "api-server":
            return True
        key = name.replace("-", "_")
        heartbeat = health[key][f"latest_{key}_heartbeat"]
        # One that was killed a moment ago still counts as healthy, but is another one.
        return bool(heartbeat) and datetime.fromisoformat(heartbeat) >= since

    def _settings(self) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(self.home),
            # The scheduler ends if another process has the database longer than that.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}?timeout=120",
            # The API server has 40 threads, and each may have to wait for the database.
            "AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW": "-1",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": str(self._parallelism),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(map(":".join, USERS.items())),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            # A third of short tasks would otherwise hold their slot 5 s after they have ended.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            # A task fails if the API server of a busy machine takes longer to answer.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def _secrets(self) -> dict[str, str]:
        """Return the keys that all components share; made once, and kept for the next start."""
        path = self.home / "secrets.json"
        if not path.exists():
            keys = {
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
                "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(os.urandom(32)).decode(),
            }
            _write_private(path, keys)
        stored: dict[str, str] = json.loads(path.read_text())
        return stored


def _let_readers_not_block(database: Path) -> None:
    """Switch SQLite to its write-ahead log, for good: one writer and any number of readers."""
    if database.exists():  # and is not another server's
        with closing(sqlite3.connect(database, timeout=60)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _write_private(path: Path, value: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(value))
