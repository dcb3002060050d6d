"""
The page's routes. Each one asks Airflow for permission: 401 for nobody, 403 for who may not.

No ``from __future__ import annotations``: FastAPI reads the annotations of routes. Of Airflow's
internals this needs ``get_auth_manager``, ``requires_access_dag``, ``GetUserDep`` and
``DagModel.get_team_name``, Airflow 3.1 to 3.3.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from kops_assets_provider.operators.results import run_page
from kops_assets_provider.ui.config import SECTION
from kops_assets_provider.ui.headers import HEADERS
from kops_assets_provider.ui.mirrors import MayRun, all_mirrors, mirrors_of_run
from kops_assets_provider.ui.record_access import DEFAULT_CONN_IDS, RecordPlaces
from kops_assets_provider.ui.records import Records
from kops_assets_provider.ui.view import page_values

_STATIC = Path(__file__).with_name("static")
app = FastAPI(
    title="kOps assets",
    # Their pages would lead to routes without permissions.
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    # What is read here is what tasks have left in XCom, or come from that.
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))],
)
_records = Records()


@app.middleware("http")
async def add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Put the policy on every answer."""
    response = await call_next(request)
    response.headers.update(HEADERS)
    return response


@app.get("/")
def page() -> FileResponse:
    """Return the page itself."""
    return FileResponse(_STATIC / "page.html")


@app.get("/static/{name}")
def static(name: str) -> FileResponse:
    """Return a script, a style sheet or a picture of the page."""
    files = {x.name: x for x in _STATIC.iterdir() if x.suffix != ".html"}
    if name not in files:
        raise HTTPException(404, "there is no such file")
    return FileResponse(files[name])


@app.get("/mirrors")
def mirrors(user: GetUserDep, dag_id: str | None = None, run_id: str | None = None) -> JSONResponse:
    """Return what the page shows: every cluster that the user may see, or those of one run."""
    now = datetime.now(UTC)
    if dag_id and run_id:
        shown = mirrors_of_run(dag_id, run_id)
        scope = {"dag_id": dag_id, "run_id": run_id, "url": run_page(dag_id, run_id)}
    else:
        readable = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
        since = now - timedelta(days=_number("page_hide_after_days", 90.0))
        shown = all_mirrors(readable, since, _records, _may_run(user), _places())
        scope = None
    within = timedelta(hours=_number("page_max_age_hours", 26.0))
    return JSONResponse({**page_values(shown, now, within), "scope": scope})


def _may_run(user: Any) -> MayRun:
    def may_run(dag_id: str) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        is_authorized = get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=details, user=user
        )
        return bool(is_authorized)

    return may_run


def _places() -> RecordPlaces:
    places, conn_ids = (_names(x) for x in ("allowed_record_urls", "allowed_record_conn_ids"))
    return RecordPlaces(prefixes=places, conn_ids=conn_ids or DEFAULT_CONN_IDS)


def _names(option: str) -> tuple[str, ...]:
    text = conf.get(SECTION, option, fallback="") or ""
    return tuple(x.strip() for x in text.split(",") if x.strip())


def _number(option: str, default: float) -> float:
    return float(conf.getfloat(SECTION, option, fallback=default))
