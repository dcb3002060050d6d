"""Fixtures for all tests: servers in this process, and what happens if a real one is missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

# A loaded machine may take its time over an example: that is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Airflow reads its environment when it is first imported: a home of our own, nobody's settings.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-home-")
for _name in [x for x in os.environ if x.startswith("AIRFLOW")]:
    del os.environ[_name]
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent.parent / "dags"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_HOME.name}/airflow.db",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}

from kops_assets_provider import redaction
from tests.support.file_server import FileServer
from tests.support.oci_registry import OciRegistryServer
from tests.support.processes import MissingComponentError, find_program

ONE_AIRFLOW = {
    f"tests/e2e/test_{name}.py"
    for name in ("clearing", "fleet", "images", "mirror", "night", "page", "stops", "two_runs")
}
"""Files whose tests share an Airflow, so that one worker runs all of them."""
LONG = [*sorted(ONE_AIRFLOW), "tests/e2e", "tests/test_support/test_local_airflow.py", "tests/dags"]
"""Beginnings of what takes long, longest first: no worker should be alone with it in the end."""


class _ByFile(LoadFileScheduling):
    """Hands out one file at a time, and those that share an Airflow at once."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "one Airflow" if file in ONE_AIRFLOW else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    """Replace ``--dist loadfile``."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long ones first, in the order of ``LONG``."""

    def place(item: pytest.Item) -> int:
        return next((n for n, x in enumerate(LONG) if item.nodeid.startswith(x)), len(LONG))

    items.sort(key=place)


@pytest.fixture
def registry() -> Iterator[OciRegistryServer]:
    """An empty registry that lets everybody do everything."""
    with OciRegistryServer() as server:
        yield server


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A file server without files: put them into its ``files``."""
    with FileServer({}) as server:
        yield server


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any cloud credentials, also without those of an instance."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> None:
    """A password of one test is a word in a message of another."""
    redaction.forget_all()


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """A migrated metadata database."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def require() -> Callable[[str], Path]:
    """Return the path of a program, or skip the test: ``require("skopeo")``."""
    return find_program


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Skip a test whose fixture needs a program that is not there."""
    return (yield from _skip_if_missing())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip a test that needs a program that is not there."""
    return (yield from _skip_if_missing())


def _skip_if_missing() -> Iterator[None]:
    try:
        return (yield)
    except MissingComponentError as error:
        # Where all components should be, as in CI, a test that was not run is a test that failed.
        if os.environ.get("REQUIRE_COMPONENTS") == "1":
            raise
        pytest.skip(str(error))
