"""The two DAGs that are compared, each a file of its own as Airflow reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.measuring.engines import OURS

EMPTY = "empty tasks"
DAG_IDS = {OURS: "night", EMPTY: "empty_night"}
TASKS = ("get_assets", "plan_images", "plan_files", "report")
"""Those that run in such a night; the two that copy are mapped over nothing."""

_OURS = """\
# Airflow looks only into files that have both its name and the word dag in them.
from kops_assets_provider.dag_factory import kops_copy_assets_dag

dag = kops_copy_assets_dag({dag_id!r}, **{options!r})
"""
# As many tasks, between the same others, and nothing in them.
_EMPTY = """\
from airflow.sdk import DAG, BaseOperator, TriggerRule


class Empty(BaseOperator):
    def __init__(self, *, after=None, number=None, **kwargs):
        super().__init__(**kwargs)
        self.after = after
        self.number = number

    template_fields = ("after",)

    def execute(self, context):
        return []


with DAG({dag_id!r}):
    listed = Empty(task_id="get_assets")
    report = Empty(task_id="report", trigger_rule=TriggerRule.ALL_DONE)
    for plan, copy in (("plan_images", "copy_image"), ("plan_files", "copy_file")):
        planned = Empty(task_id=plan, after=listed.output)
        Empty.partial(task_id=copy).expand(number=planned.output) >> report
"""


def write_dags(folder: Path, options: Mapping[str, object]) -> None:
    """Write both files; ``options`` are those of ours."""
    folder.mkdir()
    ours = _OURS.format(dag_id=DAG_IDS[OURS], options=dict(options))
    (folder / "night.py").write_text(ours)
    (folder / "empty_night.py").write_text(_EMPTY.format(dag_id=DAG_IDS[EMPTY]))
