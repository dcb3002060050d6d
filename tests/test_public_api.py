"""The public names: each has one import path, and what users are shown has no others."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "scripts"))
import reference  # noqa: E402

PACKAGE = reference.PACKAGE
PUBLIC = {f"{PACKAGE}.{name}": name for names in reference.PUBLIC.values() for name in names}
SHOWN = [
    ROOT / "README.md",
    *sorted(x for x in (ROOT / "docs").rglob("*.md") if x != reference.PAGE),
    *sorted((ROOT / "dags").glob("*.py")),
]
HEAVY = ("airflow.providers.", "boto3.", "botocore.", "fastapi.", "google.", "openlineage.")
_BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_IMPORT = re.compile(r"^ *(?:from|import) kops_assets_provider\b.*?(?:\([^)]*\))?$", re.MULTILINE)


def code_of(page: Path) -> str:
    text = page.read_text()
    return text if page.suffix == ".py" else "\n".join(x for _, x in _BLOCK.findall(text))


def imports(code: str) -> set[tuple[str, str]]:
    """Return module and name of each import of ours; other lines of a page may be no Python."""
    found = set()
    for line in _IMPORT.findall(code):
        (node,) = ast.parse(line.strip()).body
        module = getattr(node, "module", "")
        found |= {(module, x.name) for x in node.names}
    return found


@pytest.mark.parametrize("module", PUBLIC.values())
def test_every_public_name_is_on_the_page(module):
    """With its import path."""
    page = reference.PAGE.read_text()
    names = reference.public_names(module)
    assert names
    for name, value in names.items():
        assert value.__module__ == f"{PACKAGE}.{module}"
        entry = page.partition(f"### `{name}`\n")[2].partition("\n### ")[0]
        path = re.escape(f"{PACKAGE}.{module}.{name}")
        assert re.search(rf"^(class )?{path}\b", entry, re.MULTILINE)


def test_a_public_name_has_one_import_path():
    """Nobody has to choose between two."""
    names = [x for module in PUBLIC.values() for x in reference.public_names(module)]
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("module", PUBLIC.values())
def test_importing_a_public_module_loads_nothing_heavy(module):
    """No cloud SDK, no provider of Airflow; the command and the errors not even Airflow."""
    heavy = (*HEAVY, "airflow.") if module in ("cli", "exceptions") else HEAVY
    code = (
        "import sys, json, importlib\n"
        "if sys.argv[2] != 'True':\n"
        "    import airflow.sdk.bases.operator, airflow.sdk.bases.hook, airflow.sdk.bases.sensor\n"
        "before = set(sys.modules)\n"
        "importlib.import_module(sys.argv[1])\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    alone = str("airflow." in heavy)
    command = [sys.executable, "-c", code, f"{PACKAGE}.{module}", alone]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = ast.literal_eval(run.stdout.splitlines()[-1])
    assert f"{PACKAGE}.{module}" in loaded
    assert [x for x in loaded if f"{x}.".startswith(heavy)] == []


@pytest.mark.parametrize("page", SHOWN, ids=lambda x: x.relative_to(ROOT).as_posix())
def test_users_are_shown_public_names_alone(page):
    """In the README, the guide, the other pages and the DAGs to copy."""
    for module, name in imports(code_of(page)):
        assert module in PUBLIC, f"{module} is internal"
        assert name in reference.public_names(PUBLIC[module]), f"{module}.{name} is internal"


def test_imports_are_found():
    """Or the test above would prove nothing."""
    shown = {x for page in SHOWN for x in imports(code_of(page))}
    assert (f"{PACKAGE}.sensors.ready", "KopsAssetsReadySensor") in shown
    assert {module for module, _ in shown} > {f"{PACKAGE}.dag_factory", f"{PACKAGE}.dag_params"}
    wrong = "from kops_assets_provider.ui import (\n    app,\n    view,\n)\n"
    assert imports(wrong) == {(f"{PACKAGE}.ui", "app"), (f"{PACKAGE}.ui", "view")}


def test_airflow_is_told_of_public_classes_alone():
    """The modules that the provider registers are public; a connection names a public hook."""
    from kops_assets_provider.get_provider_info import get_provider_info

    info = get_provider_info()
    listed = {
        module
        for kind in ("operators", "sensors", "hooks")
        for entry in info[kind]
        for module in entry["python-modules"]
    }
    assert listed <= PUBLIC.keys()
    hooks = [x["hook-class-name"].rpartition(".") for x in info["connection-types"]]
    assert [x for x, _, name in hooks if name in reference.public_names(PUBLIC[x])]
