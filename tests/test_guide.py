"""What the guide tells users to write is accepted, and what it quotes is really said."""

import argparse
import ast
import contextlib
import io
import json
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from kops_assets_provider import exceptions
from kops_assets_provider.cli import main
from kops_assets_provider.get_provider_info import get_provider_info
from kops_assets_provider.mirror.places.rewrites import rewrite
from kops_assets_provider.oci.reference import Reference
from kops_assets_provider.options.table import OPTIONS
from kops_assets_provider.task_groups.options import CopyAssetsOptions

ROOT = Path(__file__).parent.parent
GUIDE = ROOT / "docs" / "guide"
PACKAGE = ROOT / "kops_assets_provider"
SPEC = ROOT / "tests/support" / "demo.example.com.yaml"
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(GUIDE.glob("*.md")),
]
PAGES = {"README", "adopting", "aws", "cluster", "gcp", "install", "network", "plain-servers"}
PAGES |= {"scanning", "troubleshooting", "upgrading"}
OF_LISTS = {"images", "files"}
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    page: str
    language: str
    text: str

    def __str__(self) -> str:
        first = next((x for x in self.text.splitlines() if x.strip()), "")
        return f"{self.page}: {first[:50]}"


def blocks_of(page: Path) -> list[Block]:
    return [
        Block(page.name, language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, text in _BLOCK.findall(page.read_text())
    ]


BLOCKS = [block for page in sorted(GUIDE.glob("*.md")) for block in blocks_of(page)]


def of(language: str) -> list[Block]:
    return [x for x in BLOCKS if x.language == language]


JSONS = of("json")
CONNECTIONS = [x for x in JSONS if "conn_type" in json.loads(x.text)]
POLICIES = [x for x in JSONS if "Statement" in json.loads(x.text)]
VARIABLES = [x for x in JSONS if x not in CONNECTIONS + POLICIES]
COMMAND = re.compile(r"kops-assets (?:list|check|copy)\b[^|>;&)\n]*")


def lines_of(text: str) -> list[str]:
    """Return a script's lines, those joined that end with a backslash."""
    return text.replace("\\\n", " ").splitlines()


COMMANDS = [
    (block.page, found.strip())
    for block in BLOCKS
    if block.language in ("sh", "console")
    for line in lines_of(block.text)
    for found in COMMAND.findall(line)
]


def test_all_pages_are_there_and_in_the_index():
    """Nobody looks for a page that is not named."""
    assert {x.stem for x in GUIDE.glob("*.md")} == PAGES
    index = (GUIDE / "README.md").read_text()
    for page in PAGES - {"README"}:
        assert f"({page}.md)" in index
        assert f"docs/guide/{page}.md" in (ROOT / "README.md").read_text()


def test_the_guide_has_blocks_of_each_kind():
    """The other tests would pass if none were found."""
    assert len(COMMANDS) > 15
    assert len(CONNECTIONS) > 5
    assert len(POLICIES) > 5
    assert len(VARIABLES) > 5
    assert {"python", "yaml", "json", "sh", "console"} <= {x.language for x in BLOCKS}


class ParsedError(Exception):
    """A command line was understood, and is not run."""


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_parse(page, command, monkeypatch, capsys):
    """The command line's own parser knows every option."""
    parse = argparse.ArgumentParser.parse_args

    def only_parse(self, *arguments):
        parse(self, *arguments)
        raise ParsedError

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
    asks_for_help = command.endswith(" --help")
    with pytest.raises(SystemExit if asks_for_help else ParsedError) as ended:
        main(shlex.split(command)[1:])
    assert not asks_for_help or ended.value.code == 0


@pytest.mark.parametrize("block", of("yaml"), ids=str)
def test_yaml_parses(block):
    """A user copies it whole."""
    assert isinstance(yaml.safe_load(block.text), dict)


def test_inline_json_parses():
    """What stands in a line of text or of a script, too."""
    texts = "".join(x.read_text() for x in GUIDE.glob("*.md"))
    found = [x for x in re.findall(r"`(\{\".*?\})`|'(\{\".*?\})'", texts) if any(x)]
    assert found
    for one in found:
        json.loads("".join(one))
    for pair in re.findall(r"`(\"[a-z_]+\": [^`]+)`", texts):
        assert json.loads(f"{{{pair}}}").keys() <= {*CopyAssetsOptions.__annotations__, "port"}


@pytest.mark.parametrize("block", VARIABLES, ids=str)
def test_variables_have_options_that_exist(block):
    """A typo in the Variable would be passed over in silence."""
    options = json.loads(block.text)
    assert options
    assert options.keys() <= CopyAssetsOptions.__annotations__.keys()
    assert all(OPTIONS[x].is_template for x in options)


@pytest.mark.parametrize("block", VARIABLES, ids=str)
def test_variables_are_rendered_to_what_operators_take(block, monkeypatch):
    """The DAGs' own templates make of it what the operators read."""
    from jinja2 import Environment

    from kops_assets_provider.dag_params import options_from_variable

    options = json.loads(block.text)
    environment = Environment(autoescape=False)  # no page
    environment.filters["tojson"] = json.dumps
    var = {"json": {"kops_assets": options}}
    rendered = {
        name: environment.from_string(template).render(var=var, params={})
        for name, template in options_from_variable("kops_assets").items()
    }
    for name, text in rendered.items():
        option = OPTIONS[name]
        assert option.read(text) == option.read(options.get(name, option.default))


@pytest.mark.parametrize("block", POLICIES, ids=str)
def test_policies_are_such(block):
    """Each statement allows something on something, or says who may assume the role."""
    policy = json.loads(block.text)
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            assert re.fullmatch(r"(s3|ecr|sts):[A-Z]\w+", action)
        assert "Resource" in statement or "Principal" in statement


def test_the_policy_of_workers_has_what_our_code_needs():
    """The rights that errors ask for, and no right to delete."""
    workers = next(x for x in POLICIES if x.page == "aws.md" and "ecr:PutImage" in x.text)
    from kops_assets_provider.files.s3_requests import _NEEDS
    from kops_assets_provider.mirror.places.cloud_registries import EcrRepositories

    for needed in ("s3:GetObject", "s3:PutObject", "s3:ListBucket"):
        assert any(needed in x for x in _NEEDS.values())
        assert needed in workers.text
    assert EcrRepositories().needs in workers.text
    pushing = re.findall(r'"(ecr:\w+)"', (ROOT / "docs" / "registries.md").read_text())
    assert {*pushing, EcrRepositories().needs} == set(re.findall(r'"(ecr:\w+)"', workers.text))
    assert "Delete" not in workers.text
    assert "Abort" not in workers.text


@pytest.mark.parametrize("block", CONNECTIONS, ids=str)
def test_connections_are_accepted(block, monkeypatch):
    """By Airflow as the value of AIRFLOW_CONN_…, and by our hooks."""
    from airflow.sdk import Connection

    connection = Connection.from_json(block.text, conn_id="guide")
    extra = connection.extra_dejson
    if connection.conn_type == "oci_registry":
        (declared,) = get_provider_info()["connection-types"]
        assert extra.keys() <= declared["conn-fields"].keys()
        from kops_assets_provider.hooks.oci_registry import OciRegistryHook

        monkeypatch.setenv("AIRFLOW_CONN_GUIDE", block.text)
        assert OciRegistryHook("guide").get_conn().url == "https://registry.example.com"
    elif connection.conn_type == "aws":
        from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

        wrapped = AwsConnectionWrapper(connection)
        assert wrapped.region_name == extra["region_name"]
        assert wrapped.verify == extra.get("verify")
        assert wrapped.role_arn == extra.get("role_arn")
    else:
        assert connection.conn_type == "google_cloud_platform"
        assert extra.keys() <= {"project", "key_path", "impersonation_chain"}


def test_fields_of_the_form_are_named_as_in_the_ui():
    """Labels of our connection type that the guide sets in italics."""
    (declared,) = get_provider_info()["connection-types"]
    labels = {x["label"] for x in declared["conn-fields"].values()}
    labels |= set(declared["ui-field-behaviour"]["relabeling"].values())
    text = (GUIDE / "plain-servers.md").read_text() + (GUIDE / "network.md").read_text()
    for label in ("Registry host", "User name", "Password", "CA file", "Token hosts", "Proxy"):
        assert label in labels
        assert f"*{label}*" in text


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_dag_files_make_dags(block):
    """Without asking anything of Airflow, and in words by which Airflow finds them."""
    from airflow.sdk import DAG

    assert "airflow" in block.text.lower()
    assert "dag" in block.text.lower()
    namespace: dict = {}
    exec(compile(block.text, block.page, "exec"), namespace)  # our own
    dags = [x for x in namespace.values() if isinstance(x, DAG)]
    assert dags
    assert all(x.task_ids for x in dags)


@pytest.mark.parametrize("name", ["nightly", "manual", "check"])
def test_the_dag_files_are_those_of_the_repository(name):
    """The package does not bring them, so the guide has them; they are what our tests run."""
    (own,) = (ROOT / "dags").glob(f"*{name}*.py")
    code = [x for x in own.read_text().splitlines() if not x.startswith("#")]
    shown = [x for x in of("python") if x.page == "install.md"]
    assert "\n".join(code).replace("\n\n\n", "\n\n") in {x.text.strip() for x in shown}


def strings_of(tree: ast.AST) -> list[str]:
    """Return the texts in a module, with … for what an f-string puts in."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [x.value if isinstance(x, ast.Constant) else "…" for x in node.values]
            found.append("".join(map(str, parts)))
    return found


@cache
def said() -> str:
    """Return all that the package may say."""
    sources = PACKAGE.rglob("*.py")
    return "\n".join(y for x in sources for y in strings_of(ast.parse(x.read_text())))


def first_cells(text: str) -> list[str]:
    """Return what is quoted in the first column of tables."""
    rows = [x for x in text.splitlines() if x.startswith("| ")]
    return [y for x in rows for y in re.findall(r"`([^`]+)`", x.split(" | ")[0])]


TROUBLES, CLASSES = (GUIDE / "troubleshooting.md").read_text().split("## Classes")


@pytest.mark.parametrize("message", first_cells(TROUBLES))
def test_messages_are_really_said(message):
    """Each part between two … is in the source."""
    if message.endswith("Error"):
        assert hasattr(exceptions, message)
        return
    for part in message.split("…"):
        assert part.strip(" ;:") in said(), part


def test_all_classes_are_told():
    """Each error of the tree, and whether it passes by itself."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", CLASSES, re.MULTILINE))
    bases = {"KopsAssetsError", "PermanentError", "TransientError"}
    tree = {
        name: "transient" if issubclass(x, exceptions.TransientError) else "permanent"
        for name, x in vars(exceptions).items()
        if isinstance(x, type) and issubclass(x, exceptions.KopsAssetsError)
    }
    assert rows == {name: kind for name, kind in tree.items() if name not in bases}


def example_spec() -> str:
    """Return the sample cluster with the names of the guide."""
    text = SPEC.read_text()
    for old, new in (
        ("registry.demo.example.com", "registry.example.com"),
        ("files.demo.example.com", "files.example.com"),
        ("demo.example.com", "prod.example.com"),
    ):
        text = text.replace(old, new)
    return text


def run(command: str) -> str:
    """Return what the command says, on both streams."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
        main(shlex.split(command)[1:])
    return told.getvalue()


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A directory with the files that the guide's commands name."""
    monkeypatch.chdir(tmp_path)
    for name in ("KOPS_STATE_STORE", "KOPS_CLUSTER_NAME"):
        monkeypatch.delenv(name, raising=False)
    Path("cluster.yaml").write_text(example_spec())
    plain = "kops-assets list --spec cluster.yaml --kops-version 1.36.2 --no-fetch-hashes -o json"
    listed = json.loads(run(plain))
    for file in listed["files"]:
        file["sha"] = file["sha"] or "0" * 64
    Path("list.json").write_text(json.dumps(listed))
    return tmp_path


def test_console_blocks_are_what_the_command_says(work):
    """Word for word."""
    blocks = of("console")
    assert blocks
    for block in blocks:
        for shown in block.text.split("$ ")[1:]:
            command, _, output = shown.partition("\n")
            assert run(command) == output


def test_the_hosts_are_what_the_command_says(work):
    """Those of the sample cluster."""
    command = "kops-assets list --spec cluster.yaml --kops-version 1.36.2 --hosts"
    shown = [x.text for x in BLOCKS if x.page == "network.md" and x.language == "text"]
    assert run(command) in shown


def test_the_second_copy_finds_what_the_first_has_written(work):
    """Each asset of the mirror is fetched from where staging has it."""
    (block,) = (x for x in of("python") if x.page == "scanning.md")
    namespace: dict = {}
    exec(block.text, namespace)  # our own
    rewrites = namespace["mirror"].get_task("copy_image").partial_kwargs["source_rewrites"]
    (spec,) = (x for x in of("yaml") if x.page == "scanning.md")
    text = example_spec().replace("prod.example.com", "prod-staging.example.com")
    assets = yaml.safe_load(spec.text)["spec"]["assets"]
    old = next(yaml.safe_load_all(text))["spec"]["assets"]
    text = text.replace(old["fileRepository"], assets["fileRepository"])
    text = text.replace(
        f"containerRegistry: {old['containerRegistry']}",
        f"containerProxy: {assets['containerProxy']}",
    )
    Path("staging.yaml").write_text(text)
    staging, mirror = (
        json.loads(
            run(f"kops-assets list --spec {x} --kops-version 1.36.2 --no-fetch-hashes -o json")
        )
        for x in ("staging.yaml", "cluster.yaml")
    )
    at_staging = {x["canonical"]: x["download"] for kind in OF_LISTS for x in staging[kind]}
    for image in mirror["images"]:
        name = str(Reference.parse(image["canonical"]))
        assert rewrite(name, rewrites) == at_staging[image["canonical"]]
    for file in mirror["files"]:
        assert rewrite(file["canonical"], rewrites) == at_staging[file["canonical"]]


def anchors_of(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    outside = _BLOCK.sub("", text)
    headings = re.findall(r"^#+ (.*)$", outside, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", x.lower()).replace(" ", "-") for x in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda x: str(x.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    """Links inside the repository lead to files and headings that are there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _BLOCK.sub("", document.read_text())):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path) if path else document
        assert found.exists(), target
        assert not anchor or anchor in anchors_of(found.read_text()), target


@pytest.mark.parametrize("page", sorted(GUIDE.glob("*.md")), ids=lambda x: x.name)
def test_names_are_examples(page):
    """Accounts and hosts that belong to nobody."""
    text = page.read_text()
    assert set(re.findall(r"\b\d{12}\b", text)) <= {"123456789012", "012345678901"}
    assert not re.search(r"pypi\.|debian\.org|npmjs", text)
