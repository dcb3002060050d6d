"""Versions, as blang/semver's ParseTolerant and kOps' gates read them."""

from __future__ import annotations

import pytest

from kops_assets_provider.kops.semver import Version, parse_kubernetes_version, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.35.2", Version(major=1, minor=35, patch=2)),
        (" v1.35 ", Version(major=1, minor=35, patch=0)),
        ("2", Version(major=2)),
        ("01.02.03", Version(major=1, minor=2, patch=3)),
        ("1.36.0-rc.1+build.5", Version(major=1, minor=36, patch=0, pre=("rc", "1"))),
    ],
)
def test_parse_version(text: str, version: Version) -> None:
    """Blanks, a leading v, zeros and missing parts are tolerated."""
    assert parse_version(text) == version


@pytest.mark.parametrize("text", ["", "v", "latest", "1.2-rc.1", "1.2.3.4", "1.2.x"])
def test_parse_version_refuses(text: str) -> None:
    """Anything else is no version."""
    assert parse_version(text) is None


def test_order_is_that_of_semver() -> None:
    """Pre-releases come before their release, numbers before words, and by value."""
    texts = ["1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0", "1.0.1"]
    versions = [parse_version(text) for text in texts]
    shuffled = versions[3:] + versions[2::-1]
    assert sorted(shuffled) == versions


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.36.0-beta.1", Version(major=1, minor=36, patch=0)),
        ("https://example.com/ci/v1.36.3-alpha.0+ab/", Version(major=1, minor=36, patch=0)),
        ("https://example.com/ci/latest", None),
    ],
)
def test_parse_kubernetes_version(text: str, version: Version | None) -> None:
    """Gates ignore pre-releases, and find the minor version in a URL."""
    assert parse_kubernetes_version(text) == version


def test_version_is_printed_in_full() -> None:
    """A version shows all three parts and its pre-release."""
    assert str(parse_version("v1.2")) == "1.2.0"
    assert str(parse_version("1.2.3-rc.1+b")) == "1.2.3-rc.1"
