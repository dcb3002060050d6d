"""What is known of a night besides its CPU seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.measuring.runs import Run


@dataclass(frozen=True, slots=True)
class NightRun(Run):
    """
    A run of one of the DAGs; ``cost.client_cpu`` is that of the processes of its tasks.

    :param supervision: CPU seconds of the executor's worker, which serves the tasks.
    :param airflow: of all of Airflow in that time, tasks and worker included.
    :param tasks: of each task's process, by its name.
    """

    supervision: float
    airflow: float
    tasks: Mapping[str, float]
