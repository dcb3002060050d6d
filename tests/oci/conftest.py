"""Fixtures for the tests of registries."""

import pytest

from tests.support.oci_registry import OciRegistryServer


@pytest.fixture
def servers():
    """A source and a target, both empty."""
    with OciRegistryServer() as source, OciRegistryServer() as target:
        yield source, target
