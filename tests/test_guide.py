"""What the documentation shows can be used as it stands there."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from kops_assets_provider import exceptions
from kops_assets_provider.cli import main as command_line
from kops_assets_provider.get_provider_info import get_provider_info
from kops_assets_provider.mirror.report import NOTHING_MIRRORED
from kops_assets_provider.task_groups.options import CopyAssetsOptions

ROOT = Path(__file__).parent.parent
GUIDE = sorted((ROOT / "docs/guide").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def name(path):
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else None


def blocks(language, pages=GUIDE):
    return [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in pages
        for number, (kind, text) in enumerate(BLOCK.findall(page.read_text()))
        if kind == language
    ]


def anchors(path):
    """Return the headings of a page as links spell them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    """To a file that is there, and to a heading that it has."""
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("text", blocks("json"))
def test_json(text):
    """A connection that Airflow and our hooks know, options that exist, or a policy of AWS."""
    from airflow.sdk import Connection

    values = json.loads(text)
    if "conn_type" in values:
        assert Connection.from_json(text).conn_type == values["conn_type"]
        if values["conn_type"] == "oci_registry":
            (ours,) = get_provider_info()["connection-types"]
            assert set(values["extra"]) <= set(ours["conn-fields"])
    elif "Statement" in values:
        assert {x["Effect"] for x in values["Statement"]} == {"Allow"}
    elif "config_kwargs" not in values:
        assert set(values) <= set(CopyAssetsOptions.__annotations__)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_yaml(text):
    """Of Helm's values and of clusters."""
    values = yaml.safe_load(text)
    assert set(values) in ({"spec"}, {"images", "config", "env"})
    if "spec" in values:
        assert set(values["spec"]["assets"]) == {"containerRegistry", "fileRepository"}


@pytest.mark.airflow
@pytest.mark.parametrize("text", blocks("python"))
def test_python_is_a_dag(text, tmp_path):
    """Airflow takes it for a DAG file, and it makes one."""
    from airflow.sdk import DAG

    assert "airflow" in text.lower()
    assert "dag" in text.lower()
    found = {}
    exec(compile(ast.parse(text), "guide.py", "exec"), found)
    assert isinstance(found["dag"], DAG)
    assert found["dag"].tasks


@pytest.mark.parametrize(
    "line",
    [
        x.strip()
        for page in GUIDE
        for kind, text in BLOCK.findall(page.read_text())
        if kind == "sh"
        for x in text.splitlines()
        if x.startswith("kops-assets ")
    ],
)
def test_commands_are_understood(line, capsys, tmp_path, monkeypatch):
    """Their options are known; then the file that they name is not there."""
    monkeypatch.chdir(tmp_path)
    assert command_line(shlex.split(line)[1:]) != 0
    assert "cluster.yaml" in capsys.readouterr().err


def test_every_error_is_in_troubleshooting():
    """And nothing that is none."""
    text = (ROOT / "docs/guide/troubleshooting.md").read_text()
    told = {
        x
        for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
        for x in re.findall(r"\w+", row)
    }
    bases = {"KopsAssetsError", "PermanentError", "TransientError", "InvalidCatalogError"}
    classes = {x for x in vars(exceptions) if x.endswith("Error")} - bases
    assert told == classes | {"NoPlan", "NoResult"}
    assert "no asset is remapped" in NOTHING_MIRRORED


def test_the_policy_is_the_one_that_registries_need():
    """What the guide gives on ECR is what the page of registries says, and making repositories."""
    texts = [(ROOT / x).read_text() for x in ("docs/guide/aws.md", "docs/registries.md")]
    guide, known = (set(re.findall(r'"(ecr:\w+)"', x)) for x in texts)
    assert guide == known | {"ecr:CreateRepository"}
