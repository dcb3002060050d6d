"""Fixtures for all tests: servers in this process, and what happens if a real one is missing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kops_assets_provider.testing.file_server import FileServer
from kops_assets_provider.testing.oci_registry import OciRegistryServer
from kops_assets_provider.testing.processes import MissingComponentError, find_program


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
