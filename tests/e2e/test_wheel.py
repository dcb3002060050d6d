"""
The built wheel in an empty environment, no checkout near: Airflow finds all of it, and it runs.

Everything else that is installed comes from what ``scripts/setup`` has downloaded.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.asset_lists import asset_list
from tests.support.images import make_image, put_image
from tests.support.oci_registry import OciRegistryServer
from tests.support.processes import find_program

ROOT = Path(__file__).parents[2]
PACKAGE = "kops_assets_provider"
DAG = '''"""Mirror the assets of small.example.com: an Airflow DAG."""
from kops_assets_provider.dag_factory import kops_copy_assets_dag

dag = kops_copy_assets_dag(
    "mirror", asset_list="{home}/list.json", record_url="{home}/records"
)
'''
FACTS = """
import json
from importlib.metadata import entry_points
import kops_assets_provider
from airflow.providers_manager import ProvidersManager
from airflow_versions import known_hooks, loaded_plugins
print(json.dumps({
    "from": kops_assets_provider.__file__,
    "provider": "airflow-provider-kops-assets" in ProvidersManager().providers,
    "connection": "oci_registry" in known_hooks(),
    "plugin": [x.name for x in loaded_plugins() if x.fastapi_apps],
}))
"""
RUN = """
from airflow_versions import dag_bag
from airflow.utils.db import initdb
initdb()
bag = dag_bag("{home}/dags")
assert not bag.import_errors, bag.import_errors
print(bag.dags["mirror"].test().state)
"""


@dataclass
class Installed:
    """An environment with the wheel and what it needs; nothing of this process' reaches it."""

    home: Path
    wheel: Path

    def run(self, program, *arguments):
        """Return the last line that a program of the environment printed."""
        env = {
            "PATH": f"{self.home}/env/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "PYTHONPATH": str(self.home / "lib"),
            "AIRFLOW_HOME": str(self.home / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        command = [self.home / "env/bin" / program, *arguments]
        done = subprocess.run(command, cwd=self.home, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def installed():
    # Not where the last few runs are kept: all of Airflow is in it.
    with tempfile.TemporaryDirectory(prefix="wheel-") as temporary:
        home = Path(temporary)
        built = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", home]
        subprocess.run(built, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = home.glob("*.whl")
        empty = [sys.executable, "-m", "venv", "--without-pip", home / "env"]
        subprocess.run(empty, check=True)
        install = [find_program("uv"), "pip", "install", "--offline", "--quiet"]
        install += ["--python", home / "env/bin/python", "-c", ROOT / pins(), wheel]
        subprocess.run(install, cwd=home, check=True)
        (home / "lib").mkdir()
        shutil.copy(ROOT / "tests/airflow_versions.py", home / "lib")
        yield Installed(home, wheel)


def pins():
    """Return the constraints that this environment was made with."""
    older = re.search(r"\.venv-airflow-([^/]+)", sys.executable)
    return f"constraints-{older[1]}.txt" if older else "constraints.txt"


def test_the_wheel_has_all_files(installed):
    """Also those that are no code: catalogues, pages, scripts of the page."""
    listed = subprocess.run(
        ["git", "ls-files", PACKAGE], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    packed = set(zipfile.ZipFile(installed.wheel).namelist())
    assert set(listed) <= packed
    assert {x.partition("/")[0].partition("-")[0] for x in packed} == {
        PACKAGE,
        "airflow_provider_kops_assets",
    }


def test_the_wheel_is_the_product_alone(installed):
    """No test server, no launcher of one, and no class of tests ships to users."""
    wheel = zipfile.ZipFile(installed.wheel)
    code = {x: wheel.read(x).decode() for x in wheel.namelist() if x.endswith(".py")}
    assert len(code) > 100
    of_tests = re.compile(r"^\s*(import|from) (pytest|http\.server|tests)\b", re.MULTILINE)
    assert not [x for x in code if {"testing", "tests", "support"} & set(Path(x).parts)]
    assert not [x for x, text in code.items() if of_tests.search(text)]


def test_airflow_finds_all_of_it(installed):
    """Provider, plugin and connection type."""
    found = json.loads(installed.run("python", "-c", FACTS))
    assert found.pop("from").startswith(str(installed.home))
    expected = {"provider": True, "connection": True, "plugin": ["kops_assets"]}
    assert found == expected


def test_the_command_runs(installed):
    """From its own files alone."""
    spec = ROOT / "tests/support/demo.example.com.yaml"
    options = ("--spec", spec, "--kops-version", "1.36.2", "--no-fetch-hashes", "--output", "json")
    assert installed.run("kops-assets", "list", *options).endswith("}")


@pytest.mark.long
@pytest.mark.airflow
def test_six_lines_are_a_dag(installed):
    """It is read, and it mirrors."""
    home = installed.home
    with OciRegistryServer() as source, OciRegistryServer() as target:
        put_image(source, "pause:1", make_image("pause"))
        names = [(f"{source.host}/pause:1", f"{target.host}/pause:1")]
        (home / "list.json").write_text(json.dumps(asset_list("small.example.com", names)))
        (home / "dags").mkdir()
        (home / "dags/mirror.py").write_text(DAG.format(home=home))
        assert len(DAG.splitlines()) == 6
        assert installed.run("python", "-c", RUN.format(home=home)) == "success"
        assert target.count("PUT", "/manifests/1$") == 1
    record = json.loads((home / "records/small.example.com.json").read_text())
    assert [x["state"] for x in record["assets"]] == ["copied"]
