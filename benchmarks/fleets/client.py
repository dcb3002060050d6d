"""
Plans what clusters need, by the operators that a DAG would run, in this one process.

``client.py WAY JOB RESULT``: the way is ``fleet``, ``one by one``, or ``nothing`` to do no more
than to import all. The job is a JSON file with ``lists``, the path of each cluster's list, and
``file_targets``. What came of it is written to the third. It fails if anything is to be copied.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import ExecutorSafeguard

from kops_assets_provider.operators.get_assets import KopsGetAssetsOperator
from kops_assets_provider.operators.get_fleet_assets import KopsGetFleetAssetsOperator
from kops_assets_provider.operators.plan import (
    OUTCOMES_KEY,
    KopsPlanFilesOperator,
    KopsPlanImagesOperator,
)


class TaskInstance:
    """Takes what an operator pushes, as text, as Airflow keeps it."""

    try_number, max_tries = 1, 2

    def __init__(self) -> None:
        self.pushed: dict[str, str] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        """Keep a value."""
        self.pushed[key] = json.dumps(value)


class Planner:
    """
    Runs operators one after another.

    :param file_targets: the parameter of that name.
    """

    def __init__(self, file_targets: Mapping[str, str]) -> None:
        self._file_targets = file_targets
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.states: Counter[str] = Counter()
        self.list_bytes = 0

    def fleet(self, lists: Mapping[str, str]) -> None:
        """Plan all clusters together."""
        clusters = {name: {"asset_list": path} for name, path in lists.items()}
        self._plan(
            KopsGetFleetAssetsOperator(task_id="get_assets", group="fleet", clusters=clusters)
        )

    def one_by_one(self, lists: Mapping[str, str]) -> None:
        """Plan each cluster alone."""
        for name, path in lists.items():
            self._plan(
                KopsGetAssetsOperator(task_id="get_assets", asset_list=path, cluster_name=name)
            )

    def _plan(self, get_assets: KopsGetAssetsOperator) -> None:
        listed, _ = self._run(get_assets)
        self.list_bytes += len(listed)
        for task_id, operator in (
            ("plan_images", KopsPlanImagesOperator),
            ("plan_files", KopsPlanFilesOperator),
        ):
            assets, targets = json.loads(listed), self._file_targets
            plan = operator(task_id=task_id, assets=assets, file_targets=targets)
            self._settle(*self._run(plan))

    def _run(self, operator: BaseOperator) -> tuple[str, TaskInstance]:
        """Run an operator; return what it returned, as text."""
        start, task = time.monotonic(), TaskInstance()
        context: Any = {"ti": task}
        text = json.dumps(operator.execute(context))
        self.seconds[operator.task_id] += time.monotonic() - start
        return text, task

    def _settle(self, to_copy: str, task: TaskInstance) -> None:
        if found := json.loads(to_copy):
            sys.exit(f"{len(found)} are to be copied, such as {found[0]['canonical']}")
        self.states.update(x["state"] for x in json.loads(task.pushed[OUTCOMES_KEY]))


def main(arguments: list[str]) -> None:
    """Plan as the arguments say, and write what was found."""
    way, job_file, result_file = arguments
    job = json.loads(Path(job_file).read_text())
    # It would warn of each operator that runs outside of Airflow.
    ExecutorSafeguard.test_mode = True
    planner = Planner(job["file_targets"])
    ways = {"fleet": planner.fleet, "one by one": planner.one_by_one, "nothing": len}
    ways[way](job["lists"])
    found = {
        "seconds": planner.seconds,
        "states": planner.states,
        "list_bytes": planner.list_bytes,
    }
    Path(result_file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
