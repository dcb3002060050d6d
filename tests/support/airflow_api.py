"""The part of Airflow's REST API (``/api/v2``) that running and inspecting a DAG takes."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from kops_assets_provider.exceptions import PermanentError

Record: TypeAlias = dict[str, Any]
"""An object as the API gives it: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html"""

FINAL_STATES = frozenset({"success", "failed"})
PAGE_SIZE = 100
POLL_SECONDS = 0.5
BUSY_SECONDS = 120.0


class AirflowApiError(PermanentError):
    """The API answered with an error. ``status`` is HTTP's."""

    def __init__(self, method: str, path: str, status: int, text: str) -> None:
        self.status = status
        super().__init__(f"{method} {path} answered {status}: {text}")


class AirflowApi:
    """
    A client of a running Airflow with the simple auth manager.

    All methods raise :class:`AirflowApiError` if the API refuses.

    :param url: of the API server, without a slash at the end.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self._login = {"username": username, "password": password}
        self._token: str | None = None

    def request(
        self, method: str, path: str, body: Record | None = None, *, headers: Any = None
    ) -> Any:
        """Send a request to a path of the server, and return the JSON or None; log in if needed."""
        authorization = {"Authorization": f"Bearer {self.token()}", **(headers or {})}
        return self._send(method, path, body, authorization)

    def token(self) -> str:
        """Return the token that is sent with requests, or in the cookie ``_token``; log in once."""
        if self._token is None:
            self._token = self._send("POST", "/auth/token", self._login, {})["access_token"]
        return self._token

    def health(self) -> Record:
        """Return the state of the components; needs no login."""
        health: Record = self._send("GET", "/api/v2/monitor/health", None, {})
        return health

    def wait_for_dag(self, dag_id: str, timeout: float = 240.0) -> None:
        """
        Wait until the DAG processor has found a DAG.

        :raises PermanentError: a DAG file cannot be imported.
        :raises TimeoutError: it is not there after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not self._has_dag(dag_id):
            if errors := self.import_errors():
                raise PermanentError("\n".join(error["stack_trace"] for error in errors))
            if time.monotonic() > deadline:
                raise TimeoutError(f"no DAG {dag_id} after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def trigger(self, dag_id: str, conf: Record | None = None) -> str:
        """Start a run of a DAG, which is unpaused, and return the run's id."""
        self.wait_for_dag(dag_id)
        self.request("PATCH", _dag_path(dag_id), {"is_paused": False})
        body = {"logical_date": None, "conf": conf or {}}
        return str(self.request("POST", f"{_dag_path(dag_id)}/dagRuns", body)["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> Record:
        """Return a run."""
        run: Record = self.request("GET", _run_path(dag_id, run_id))
        return run

    def task_instances(self, dag_id: str, run_id: str) -> list[Record]:
        """Return all task instances of a run, mapped ones one by one."""
        return list(self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances"))

    def xcom(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str = "return_value",
        map_index: int = -1,
    ) -> Any:
        """Return what a task instance pushed."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/"
        query = urlencode({"map_index": map_index, "stringify": "false"})
        return self.request("GET", f"{path}{quote(key)}?{query}")["value"]

    def log(
        self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """Return the log of a task instance's try, one event a line."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        query = urlencode({"map_index": map_index, "full_content": "true"})
        events = self.request("GET", f"{path}?{query}", headers={"Accept": "application/json"})
        return "\n".join(_log_line(event) for event in events["content"])

    def clear(
        self,
        dag_id: str,
        run_id: str,
        task_ids: Sequence[str | Sequence[str | int]] | None = None,
        *,
        only_failed: bool = True,
        include_downstream: bool = True,
    ) -> list[Record]:
        """
        Make tasks run again, and return the instances that will.

        :param task_ids: names, or pairs of name and map index: ``[["copy_image", 4]]``; None: all.
        """
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "only_failed": only_failed,
            "include_downstream": include_downstream,
        }
        answer = self.request("POST", f"{_dag_path(dag_id)}/clearTaskInstances", body)
        return list(answer["task_instances"])

    def mark(
        self, dag_id: str, run_id: str, task_id: str, state: str, *, map_index: int = -1
    ) -> None:
        """Set a task instance's state, as *Mark as failed* does in the UI."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/{map_index}"
        self.request("PATCH", path, {"new_state": state})

    def import_errors(self) -> list[Record]:
        """Return the DAG files that cannot be imported, and why (``stack_trace``)."""
        return list(self._pages("/api/v2/importErrors", "import_errors"))

    def connections(self) -> list[Record]:
        """Return the connections in the metadata database."""
        return list(self._pages("/api/v2/connections", "connections"))

    def add_connection(self, connection_id: str, conn_type: str, **fields: Any) -> None:
        """Create or replace a connection; ``extra`` may be a dictionary."""
        if isinstance(fields.get("extra"), dict):
            fields["extra"] = json.dumps(fields["extra"])
        body = {"connection_id": connection_id, "conn_type": conn_type, **fields}
        if any(known["connection_id"] == connection_id for known in self.connections()):
            # PATCH would leave the fields alone that are not named.
            self.request("DELETE", f"/api/v2/connections/{quote(connection_id)}")
        self.request("POST", "/api/v2/connections", body)

    def wait(
        self,
        dag_id: str,
        run_id: str,
        timeout: float = 300.0,
        on_progress: Callable[[list[Record]], None] | None = None,
    ) -> Record:
        """
        Wait until a run has ended, and return it.

        :param on_progress: called with the task instances, about twice a second, and at the end.
        :raises TimeoutError: it has not ended after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            run = self.dag_run(dag_id, run_id)
            if on_progress:
                on_progress(self.task_instances(dag_id, run_id))
            if run["state"] in FINAL_STATES:
                return run
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id} {run_id} is {run['state']} after {timeout:g} s")
            time.sleep(POLL_SECONDS)

    def _has_dag(self, dag_id: str) -> bool:
        try:
            self.request("GET", _dag_path(dag_id))
        except AirflowApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def _pages(self, path: str, key: str) -> Iterator[Record]:
        offset = 0
        while True:
            page = self.request("GET", f"{path}?limit={PAGE_SIZE}&offset={offset}")
            yield from page[key]
            offset += PAGE_SIZE
            if offset >= page["total_entries"]:
                return

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                return self._send_once(method, path, body, headers)
            except AirflowApiError as error:
                # SQLite lets one write at a time: who has waited too long has done nothing.
                if "Database error" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def _send_once(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with _DIRECT.open(request, timeout=60) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            raise AirflowApiError(method, path, error.code, text) from None


# Loopback is never reached through a proxy, whatever the environment says.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _dag_path(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id)}"


def _run_path(dag_id: str, run_id: str) -> str:
    return f"{_dag_path(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _log_line(event: str | Record) -> str:
    if isinstance(event, str):
        return event
    causes = [
        f"{error['exc_type']}: {error['exc_value']}" for error in event.get("error_detail") or []
    ]
    return " ".join([event.get("timestamp") or "", event["event"], *causes])
