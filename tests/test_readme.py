"""What the README promises is true."""

import os
import re
from pathlib import Path

import pytest

from kops_assets_provider.get_provider_info import get_provider_info
from kops_assets_provider.kops.catalog import known_releases
from kops_assets_provider.mirror.lists.get_list import list_cluster
from kops_assets_provider.options.table import OPTIONS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SPEC = ROOT / "tests/support" / "demo.example.com.yaml"


def test_the_two_commands_exist():
    """Each can be run as it stands there."""
    commands = re.findall(r"^```sh\n(scripts/\S+)\n```", README, re.MULTILINE)
    assert commands == ["scripts/demo", "scripts/test"]
    assert all(os.access(ROOT / command, os.X_OK) for command in commands)


def test_the_demo_has_as_many_assets_as_it_says():
    """The numbers are those of the sample cluster."""
    assets = list_cluster(str(SPEC), "1.36.2", fetch_hashes=False).assets
    assert f"({len(assets.images)} images, {len(assets.files)} files)" in README


def test_all_known_releases_are_named():
    """The releases that ``kops-assets list`` knows."""
    (named,) = re.findall(r"The releases known so far: (.*)\.$", README, re.MULTILINE)
    assert tuple(named.split(", ")) == known_releases()


def test_every_operator_and_hook_is_named():
    """What Airflow is told of is in the table."""
    info = get_provider_info()
    for entry in (*info["operators"], *info["hooks"]):
        for module in entry["python-modules"]:
            source = (ROOT / f"{module.replace('.', '/')}.py").read_text()
            for name in re.findall(r"^class ([A-Z]\w+)", source, re.MULTILINE):
                assert f"`{name}`" in README


def test_the_named_options_exist():
    """The table has a few options of the DAG factory, and links to all of them."""
    rows = re.findall(r"^\| (`[a-z0-9_`, ]+`) \|", README, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"[a-z0-9_]+", row)}
    assert {"cluster_spec", "kops_version"} < named < OPTIONS.keys()
    assert "(docs/options.md)" in README


def test_the_example_is_a_dag():
    """A user who copies it gets the tasks of the picture."""
    (example,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    # Airflow parses only files that have these words in them.
    assert "airflow" in example.lower()
    assert "dag" in example.lower()
    namespace = {}
    exec(example, namespace)
    assert namespace["dag"].task_ids == [
        "get_assets",
        "plan_images",
        "plan_files",
        "copy_image",
        "copy_file",
        "report",
    ]


@pytest.mark.parametrize(
    "document",
    ["README.md", "CHANGELOG.md", *sorted(f"docs/{x.name}" for x in (ROOT / "docs").glob("*.md"))],
)
def test_links_lead_somewhere(document):
    """Links inside the repository point to what is there, anchors too."""
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        found = (ROOT / document).parent / path
        assert found.exists(), target
        headings = re.findall(r"^#+ (.*)$", found.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {x.lower().replace(" ", "-") for x in headings}
