"""How Airflow finds the page, what that costs, and how it is switched off."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
HEAVY = ("fastapi", "boto3", "botocore", "google.auth", "google.cloud.storage", "sqlalchemy.orm")


def run(code, **env):
    own = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_it_is_found_by_its_entry_point():
    """A plugin that only the provider info names is not loaded by default."""
    (found,) = entry_points(group="airflow.plugins", name="kops_assets")
    plugin = found.load()
    (app,) = plugin.fastapi_apps
    assert app["url_prefix"] == "/kops-assets"
    assert {x["destination"] for x in plugin.external_views} == {"nav", "dag_run"}


@pytest.mark.parametrize(("value", "expected"), [("True", "1 2"), ("False", "0 0")])
def test_it_can_be_switched_off(value, expected):
    """Then there is neither a route nor a link."""
    code = """
from tests.airflow_versions import loaded_plugins
(own,) = [x for x in loaded_plugins() if x.name == "kops_assets"]
print(len(own.fastapi_apps), len(own.external_views))
"""
    assert run(code, AIRFLOW__KOPS_ASSETS__PAGE_ENABLED=value) == expected


def test_it_costs_workers_nothing():
    """Beyond what has to be there for any plugin."""
    code = f"""
import sys
import airflow.plugins_manager, airflow.configuration
before = set(sys.modules)
import kops_assets_provider.ui.plugin
new = set(sys.modules) - before
print([x for x in {HEAVY} if x in new], len(new) < 10)
"""
    assert run(code) == "[] True"
