#!/bin/sh
# A task adds an event to an asset through an AssetAlias, and the event's extra holds a mapping, as
# any JSON may. The task's code ends well. Then the API server fails to record it: it gathers the
# extras of aliases in a set, meets "unhashable type: 'dict'", and sets the task to failed. The event
# is lost, so what waits for the asset does not start; DAG.test() even shows the task as successful.
# The same extra is kept on an asset that is named without an alias, and so is a flat one by alias.
# Expected: the extra is kept, or refused where the task sets it.
# Airflow 3.1.2; 3.1.3 keeps it. Source: airflow/models/taskinstance.py, register_asset_changes_in_db.
. "$(dirname "$0")/lib/start.sh"
pypi uv==0.13.9
# The packages as they were when 3.1.2 was released: Airflow itself leaves most of them open.
uv pip install -q --python "$tmp/venv/bin/python" --exclude-newer 2025-11-12 apache-airflow==3.1.2 'sqlalchemy<2'
mkdir "$tmp/dags"
export AIRFLOW_HOME="$tmp/airflow" AIRFLOW__CORE__DAGS_FOLDER="$tmp/dags" AIRFLOW__CORE__LOAD_EXAMPLES=False
export PYTHONWARNINGS=ignore
cat > "$tmp/dags/events.py" <<'PYTHON'
from airflow.sdk import DAG, Asset, AssetAlias, task

FLAT, NESTED = {"copied": 1}, {"counts": {"copied": 1}}


def event_dag(name, extra, *, by_alias):
    asset = Asset(name=name, uri=f"x-test://{name}")
    outlet = AssetAlias(f"alias of {name}") if by_alias else asset
    with DAG(name, schedule=None) as dag:

        @task(outlets=[outlet])
        def publish(*, outlet_events):
            if by_alias:
                outlet_events[outlet].add(asset, extra=extra)
            else:
                outlet_events[outlet].extra = extra

        publish()
    return dag


alias_flat = event_dag("alias_flat", FLAT, by_alias=True)
alias_nested = event_dag("alias_nested", NESTED, by_alias=True)
asset_nested = event_dag("asset_nested", NESTED, by_alias=False)
PYTHON
cat > "$tmp/run.py" <<'PYTHON'
import json
import sys

import airflow
from airflow.models.asset import AssetEvent
from airflow.models.dagbag import DagBag
from airflow.utils.db import initdb
from airflow.utils.session import create_session

initdb()
bag = DagBag()
seen = {"airflow": airflow.__version__}
for name in ("alias_flat", "alias_nested", "asset_nested"):
    states = [str(x.state) for x in bag.dags[name].test().get_task_instances()]
    with create_session() as session:
        events = session.query(AssetEvent).filter(AssetEvent.source_dag_id == name)
        seen[name] = [*states, *(x.extra for x in events)]
with open(sys.argv[1], "w") as file:
    json.dump(seen, file)
PYTHON
python3 "$tmp/run.py" "$tmp/seen.json" > "$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }
python3 - "$tmp/seen.json" "$tmp/log" <<'PYTHON'
import json
import sys
from pathlib import Path

from expect import expect

seen, log = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]).read_text()
print("airflow", seen["airflow"])
expect("a flat extra by alias", seen["alias_flat"], ["success", {"copied": 1}])
expect("a nested extra on the asset", seen["asset_nested"], ["success", {"counts": {"copied": 1}}])
expect("a nested extra by alias", seen["alias_nested"], ["success"])
expect("the API server failed", "TypeError: unhashable type: 'dict'" in log, True)
expect("and set the task to failed", "Set the task to failed" in log, True)
PYTHON
