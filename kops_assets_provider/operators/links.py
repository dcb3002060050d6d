"""Links from a copy task to its source and its target."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink

# Each task reads the DAG file first, so what only its work needs is imported where it is done.


class SourceLink(BaseOperatorLink):
    """The image or the file upstream."""

    name = "Source"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return its page; Airflow asks when a try has ended, also a failed one."""
        return _page(operator, operator.source_name)


class TargetLink(BaseOperatorLink):
    """The image or the file in the mirror."""

    name = "Target"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return its page; Airflow asks when a try has ended, also a failed one."""
        return _page(operator, operator.target_name)


def _page(operator: Any, name: str) -> str:
    from kops_assets_provider.mirror.places.web_pages import web_page

    # A task that failed while its templates were rendered has no names yet.
    return web_page(operator.kind, name) if name else ""
