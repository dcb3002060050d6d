"""
Airflow's plugin with the page. Every component of Airflow imports it: nothing heavy.

https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/plugins.html
"""

from __future__ import annotations

from typing import Any

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from kops_assets_provider.ui.config import SECTION

_PREFIX = "/kops-assets"
_NAME = "kOps assets"


class _LazyApp:
    """An ASGI application that is imported when the first request comes."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from kops_assets_provider.ui.app import app

        await app(scope, receive, send)


def _views() -> list[dict[str, str]]:
    # Without a slash in front they lie below Airflow's own address, which may have a path.
    home = _PREFIX.removeprefix("/")
    of_run = f"{home}/?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"
    own = {"name": _NAME}
    return [
        {**own, "destination": "nav", "category": "browse", "href": f"{home}/", "url_route": home},
        {**own, "destination": "dag_run", "href": of_run, "url_route": f"{home}-run"},
    ]


def is_on() -> bool:
    """Tell whether the configuration wants the page: ``[kops_assets] page``."""
    return bool(conf.getboolean(SECTION, "page_enabled", fallback=True))


class KopsAssetsPlugin(AirflowPlugin):
    """The page, in the navigation and as a tab of a run."""

    name = "kops_assets"
    fastapi_apps = [{"app": _LazyApp(), "url_prefix": _PREFIX, "name": _NAME}] if is_on() else []
    external_views = _views() if is_on() else []
