"""Who may import whom: see docs/architecture.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Collection
from graphlib import TopologicalSorter
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
    "options": {"kops"},  # how text is read as JSON, and which names clusters may have
    "hooks": {"airflow_versions", "mirror", "oci", "files", "http"},
    "operators": {"airflow_assets", "airflow_versions", "hooks", "mirror", "kops", "options"},
    "sensors": {"operators", "mirror", "options"},
    "task_groups": {"airflow_assets", "airflow_versions", "operators", "options"},
    "dag_params": {"task_groups", "options", "kops"},
    "dag_factory": {"airflow_versions", "dag_params", "task_groups", "mirror", "options"},
    "ui": {"operators", "options", "hooks", "mirror", "files", "http"},
    "cli": {"mirror", "kops", "options"},
    "get_provider_info": {"__init__"},
    "airflow_assets": set(),
    "airflow_versions": set(),
}
# The rooms of the use cases: each imports only from those before it.
ROOMS = ("model", "places", "lists", "record", "plan", "copy", "report", "run")
# Everybody may import them; they import nobody of ours but each other.
LEAVES = {"exceptions", "logs", "redaction", "regular_files", "threads"}
CORE = {"kops", "http", "oci", "files", "mirror", "options", "cli", "get_provider_info"}
KNOWS_AIRFLOW = ALLOWED.keys() - CORE


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


def dotted(path: Path) -> str:
    """Return the name by which a module is imported."""
    return ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


def module(name: str, known: Collection[str]) -> str:
    """Return the module that a dotted name is, or is in."""
    return name if name in known else name.rpartition(".")[0]


def part(name: str) -> str:
    """Return the part of our package that a dotted name belongs to."""
    rest = name.removeprefix(f"{PACKAGE}.")
    own = rest.split(".")[0]
    return own if (ROOT / own).is_dir() or (ROOT / f"{own}.py").exists() else "__init__"


@pytest.mark.parametrize("path", modules(), ids=lambda x: str(x.relative_to(ROOT)))
def test_imports_point_inwards(path):
    """The parts know only what lies further in; kops, oci and files do not know each other."""
    own = part(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if own == "__init__":
        return
    used = {part(x) for x in imports(path) if x.startswith(PACKAGE)}
    assert used - {own, *LEAVES} <= ALLOWED.get(own, set())


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_those_before_it(room):
    """From the list to the record and the report, also where only types are imported."""
    later = ROOMS[ROOMS.index(room) + 1 :]
    files = list((ROOT / "mirror" / room).rglob("*.py"))
    assert len(files) > 2
    for path in files:
        used = {x.split(".")[2] for x in imports(path) if x.startswith(f"{PACKAGE}.mirror.")}
        assert not used & {*later}, path


def test_every_file_of_the_use_cases_is_in_a_room():
    """The folder is no bag."""
    assert {x.name for x in (ROOT / "mirror").iterdir() if x.name != "__pycache__"} == {
        "__init__.py",
        *ROOMS,
    }


def test_no_files_import_each_other_in_a_circle():
    """Neither directly nor through others; imports in functions and of types count too."""
    names = {dotted(path): path for path in modules()}
    graph = {
        name: {module(x, names) for x in imports(path) if x.startswith(PACKAGE)} - {name}
        for name, path in names.items()
    }
    assert sum(map(len, graph.values())) > len(graph)
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", modules(), ids=lambda x: str(x.relative_to(ROOT)))
def test_no_value_is_built_by_position(path):
    """A dataclass with several fields takes them by name alone: two strings are soon mixed up."""
    if path.relative_to(ROOT).as_posix() == "kops/expressions.py":
        return  # the nodes of a syntax tree, whose patterns are matched by position
    for node in ast.walk(ast.parse(path.read_text())):
        if (
            isinstance(node, ast.ClassDef)
            and sum(isinstance(x, ast.AnnAssign) for x in node.body) > 1
        ):
            decorators = [ast.unparse(x) for x in node.decorator_list]
            by_position = [x for x in decorators if "dataclass" in x and "kw_only=True" not in x]
            assert not by_position, node.name


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
    [
        "cli",
        "get_provider_info",
        "kops.inventory",
        "oci.copy",
        "files.copy",
        "mirror.lists.get_list",
    ],
)
def test_importing_the_core_loads_nothing_heavy(module):
    """Neither Airflow nor a cloud SDK is the price of importing the core."""
    heavy = ("airflow", "boto3", "botocore", "google.cloud.storage", "google.auth")
    code = f"import sys, {PACKAGE}.{module}; print([x for x in {heavy} if x in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
