"""Who may import whom: see docs/architecture.md."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = "kops_assets_provider"
ROOT = Path(__file__).parent.parent / PACKAGE

# What each part may import of the others, besides itself and those for all. Inwards only.
ALLOWED = {
    "kops": set(),
    "http": {"__init__"},
    "oci": {"http"},
    "files": {"http"},
    "mirror": {"__init__", "kops", "http", "oci", "files"},
    "hooks": {"mirror", "oci", "files", "http"},
    "operators": {"hooks", "mirror", "kops"},
    "sensors": {"operators", "mirror"},
    "task_groups": {"operators"},
    "dag_params": {"task_groups", "operators", "kops"},
    "dag_factory": {"dag_params", "task_groups", "mirror"},
    "ui": {"operators", "hooks", "mirror", "files", "http"},
    "cli": {"mirror", "kops"},
    "get_provider_info": {"__init__"},
}
# Everybody may import them; they import nobody of ours but each other.
LEAVES = {"exceptions", "logs", "redaction", "regular_files", "threads"}
KNOWS_AIRFLOW = {"hooks", "operators", "sensors", "task_groups", "dag_params", "dag_factory", "ui"}


def modules():
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the dotted names of all that a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part(dotted: str) -> str:
    """Return the part of our package that a dotted name belongs to."""
    rest = dotted.removeprefix(f"{PACKAGE}.")
    name = rest.split(".")[0]
    return name if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists() else "__init__"


@pytest.mark.parametrize("path", modules(), ids=lambda x: str(x.relative_to(ROOT)))
def test_imports_point_inwards(path):
    """The parts know only what lies further in; kops, oci and files do not know each other."""
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own == "__init__":
        return
    used = {part(x) for x in imports(path) if x.startswith(PACKAGE)}
    assert used - {own, *LEAVES} <= ALLOWED.get(own, set())


@pytest.mark.parametrize("path", modules(), ids=lambda x: str(x.relative_to(ROOT)))
def test_the_core_knows_no_airflow(path):
    """Only the glue may import Airflow; the core runs without it."""
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own not in KNOWS_AIRFLOW:
        assert not {x for x in imports(path) if x.split(".")[0] == "airflow"}


@pytest.mark.parametrize("path", modules(), ids=lambda x: str(x.relative_to(ROOT)))
def test_every_logger_is_a_clean_one(path):
    """What is logged has passed the function that hides secrets and control characters."""
    own = path.relative_to(ROOT).as_posix()
    if own != "logs.py":
        assert not re.search(
            r"logging\.getLogger|(?<![\w.])print\(|warnings\.warn", path.read_text()
        )


@pytest.mark.parametrize(
    "module",
    ["cli", "get_provider_info", "kops.inventory", "oci.copy", "files.copy", "mirror.lists"],
)
def test_importing_the_core_loads_nothing_heavy(module):
    """Neither Airflow nor a cloud SDK is the price of importing the core."""
    heavy = ("airflow", "boto3", "botocore", "google.cloud.storage", "google.auth")
    code = f"import sys, {PACKAGE}.{module}; print([x for x in {heavy} if x in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
