"""What is pinned for tests is what the package says that it supports."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NEEDED = [Requirement(x) for x in PROJECT["project"]["dependencies"]]


def pins(name):
    lines = (ROOT / name).read_text().splitlines()
    return {x.name: x.specifier for x in map(Requirement, lines) if "==" in str(x.specifier)}


@pytest.mark.parametrize("needed", NEEDED, ids=str)
def test_the_lowest_is_the_floor(needed):
    """``scripts/test --lowest`` runs with just what is admitted, and no newer one."""
    (floor,) = needed.specifier
    assert floor.operator == ">="
    (pin,) = pins("constraints-lowest.txt")[needed.name]
    assert Version(pin.version) == Version(floor.version)


@pytest.mark.parametrize("name", sorted(x.name for x in ROOT.glob("constraints*.txt")))
def test_pins_are_pins(name):
    """And neither addresses nor paths, of which some would be nobody else's."""
    text = (ROOT / name).read_text()
    assert not re.search(r"://|@ |^-", text, re.MULTILINE)
    assert all("==" in line for line in text.splitlines())


def test_the_readme_says_the_floor():
    """Of Airflow; what users look for first."""
    (floor,) = NEEDED[0].specifier
    assert f"\nAirflow {floor.version} or later.\n" in (ROOT / "README.md").read_text()


def test_the_guide_names_the_releases_that_are_tested():
    """One row for each file of pins."""
    page = (ROOT / "docs" / "guide" / "install.md").read_text()
    shown = re.findall(r"^\| (3\.\d+)[^|]*\((3\.\d+\.\d+)\) \|", page, re.MULTILINE)
    pinned = [pins(x.name)["apache-airflow"] for x in ROOT.glob("constraints*.txt")]
    assert sorted(full for _, full in shown) == sorted(str(x).removeprefix("==") for x in pinned)
    assert all(full.startswith(f"{minor}.") for minor, full in shown)
