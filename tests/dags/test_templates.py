"""
Text from outside is never rendered: only the author of a DAG file writes templates.

Airflow renders template fields with Jinja, and a template may read any connection. So each place
where text comes in holds templates that would read a connection, and no output may have it.
"""

import hashlib
import json
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.airflow_versions import dag_bag, run_in_process, serialized
from tests.support.asset_lists import asset_list
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

CANARY = "canary7f3a9d"
EXPRESSION = "{{ conn.row_one.host }}"
STATEMENT = "{% set x = conn.row_one.host %}{{x}}"
CONTENT = b"what nodes need" * 10
SHA = hashlib.sha256(CONTENT).hexdigest()
CLUSTER = "templates.example.com"
FILES = "https://files.example.com"
PATHS = [f"/{EXPRESSION}/a", f"/{STATEMENT}/b"]
REPORTS = {("report", "report"), ("check", "report")}
IMAGE = "registry.example.com/{{conn.row_one.host|lower}}:1"


@pytest.fixture(autouse=True)
def connection(monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_ROW_ONE", json.dumps({"conn_type": "http", "host": CANARY}))


class Outputs:
    """All that a run has left anywhere."""

    def __init__(self, run, server, directory, log):
        self.run = run
        self.instances = run.get_task_instances()
        self.paths = [unquote(x.path) for x in server.requests]
        self.directory = directory
        self._log = log

    @property
    def labels(self):
        return {x.rendered_map_index for x in self.instances if x.rendered_map_index}

    def rendered_fields(self):
        from airflow.models.renderedtifields import RenderedTaskInstanceFields
        from airflow.utils.session import create_session

        with create_session() as session:
            rows = session.query(RenderedTaskInstanceFields).filter_by(run_id=self.run.run_id)
            return {(x.task_id, x.map_index): x.rendered_fields for x in rows}

    def xcoms(self):
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            rows = session.query(XComModel).filter_by(run_id=self.run.run_id)
            return [(x.task_id, x.key, x.value) for x in rows]

    def report(self):
        return next(x for task, key, x in self.xcoms() if (task, key) in REPORTS)

    def record(self):
        (path,) = (self.directory / "records").glob("*.com.json")
        return json.loads(path.read_text())

    def everything(self):
        """All outputs as one text."""
        files = [x for x in self.directory.rglob("*") if x.is_file()]
        parts = [*map(str, files), *(x.read_text(errors="replace") for x in files)]
        parts += [*self.paths, *self.labels, repr(self.rendered_fields()), repr(self.xcoms())]
        return "\n".join([*parts, self._log()])


class World:
    """A file server, places to write to, and DAG files."""

    def __init__(self, server, directory, log):
        self.server = server
        self.directory = directory
        self.outputs = directory / "outputs"
        self.outputs.mkdir()
        self._log = log
        self.urls = [server.url + path for path in PATHS]
        self.targets = {FILES: str(self.outputs / "mirror")}
        self.record_url = str(self.outputs / "records")
        self.options = {"file_targets": self.targets, "record_url": self.record_url}

    def dag(self, text, **values):
        """Write a DAG file, whose global names are ``values``, and return its DAG."""
        folder = self.directory / "dags"
        folder.mkdir(exist_ok=True)
        names = f"globals().update(json.loads({json.dumps(values)!r}))"
        file = folder / "airflow_dag.py"
        file.write_text(f"{IMPORTS}\n{names}\n{text}\n")
        bag = dag_bag(str(folder))
        assert bag.import_errors == {}
        (dag,) = bag.dags.values()
        return dag

    def run(self, dag, conf=None):
        """Run a DAG, and return all that it has left."""
        return Outputs(run_in_process(dag, conf), self.server, self.outputs, self._log)

    def copy(self, **options):
        """Run a DAG that copies."""
        text = "dag = kops_copy_assets_dag('templates', **options)"
        return self.run(self.dag(text, options=self.options | options))


@pytest.fixture
def world(tmp_path, capfd, caplog, monkeypatch):
    """The bundle of DAG files is where ``World.dag`` writes them, and where we ship ours."""

    def log():
        captured = capfd.readouterr()
        return captured.out + captured.err + caplog.text

    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    shipped = str(Path(__file__).parent.parent.parent / "dags")
    bundles = [
        {"name": name, "classpath": local, "kwargs": {"path": path}}
        for name, path in (("dags-folder", shipped), ("own", str(tmp_path / "dags")))
    ]
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps(bundles))
    (tmp_path / "dags").mkdir()
    with FileServer(dict.fromkeys(PATHS, CONTENT)) as server:
        yield World(server, tmp_path, log)


IMPORTS = """\
import json

from airflow.sdk import DAG, task

from kops_assets_provider.dag_factory import (
    kops_check_assets_dag,
    kops_copy_assets_dag,
    kops_copy_fleet_dags,
)
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
"""
CHOOSE = """
with DAG("templates", schedule=None) as dag:

    @task
    def choose():
        return chosen

    operator = {"file": KopsCopyFileOperator, "image": KopsCopyImageOperator}[kind]
    operator.partial(
        task_id="copy", retries=0, map_index_template="{{ task.source_name }}", **options
    ).expand(asset=choose())
"""


def saved_list(world, images=()):
    files = [(url, f"{FILES}/{name}", CONTENT) for url, name in zip(world.urls, "ab", strict=True)]
    path = world.directory / "list.json"
    path.write_text(json.dumps(asset_list(CLUSTER, list(images), files)))
    return str(path)


SPEC = f"""\
apiVersion: kops.k8s.io/v1alpha2
kind: Cluster
metadata: {{name: {CLUSTER}}}
spec:
  cloudProvider: hetzner
  kubernetesVersion: 1.35.2
  networking: {{cilium: {{}}}}
  clusterAutoscaler: {{enabled: true, image: "{IMAGE}"}}
  etcdClusters: [{{name: main, etcdMembers: [{{instanceGroup: cp, name: a}}]}}]
  assets: {{containerRegistry: 127.0.0.1:1/kops, fileRepository: {FILES}/kops}}
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {{name: cp, labels: {{kops.k8s.io/cluster: {CLUSTER}}}}}
spec: {{role: Master, machineType: cx22, image: x}}
---
apiVersion: kops.k8s.io/v1alpha2
kind: InstanceGroup
metadata: {{name: nodes, labels: {{kops.k8s.io/cluster: {CLUSTER}}}}}
spec: {{role: Node, machineType: cx22, image: x}}
"""


def assert_copied_as_they_are(outputs, names):
    """The raw names reached the server, the labels, the record and the report; nothing else did."""
    assert set(PATHS) <= set(outputs.paths)
    assert set(names) <= outputs.labels
    assert set(names) <= {x["canonical"] for x in outputs.record()["assets"]}
    states = {x["canonical"]: x["state"] for x in outputs.report()["assets"]}
    assert {states[x] for x in names} == {"copied"}
    assert CANARY not in outputs.everything()


def test_the_author_of_a_dag_writes_templates(world):
    """This proves that a template reads the connection here, and that the outputs would show it."""
    text = """
with DAG("templates", schedule=None) as dag:
    KopsCopyFileOperator(task_id="copy_file", **options)
"""
    options = {"canonical": world.urls[0], "download": f"{FILES}/kubelet", "sha": SHA}
    outputs = world.run(world.dag(text, options={**options, "file_targets": world.targets}))
    assert f"/{CANARY}/a" in outputs.paths
    assert CANARY in outputs.everything()


def test_a_saved_list(world):
    """And the XComs that carry it from task to task."""
    outputs = world.copy(asset_list=saved_list(world), report_url=world.record_url)
    assert_copied_as_they_are(outputs, world.urls)


def test_a_variable(world, dags, monkeypatch):
    """Templates look its values up, and the values are not rendered."""
    options = world.options | {"asset_list": saved_list(world)}
    options |= {"source_rewrites": {"https://x.example.com/" + EXPRESSION: STATEMENT}}
    monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(options))
    outputs = world.run(dags["kops_copy_assets_nightly"])
    assert_copied_as_they_are(outputs, world.urls)
    assert STATEMENT in outputs.rendered_fields()["copy_file", 0]["source_rewrites"]


def test_a_form(world, dags, monkeypatch):
    """The conf of a run by hand."""
    monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(world.options))
    rewrites = {"https://x.example.com/" + EXPRESSION: STATEMENT}
    conf = {"asset_list": saved_list(world), "source_rewrites": rewrites}
    outputs = world.run(dags["kops_copy_assets_manual"], conf)
    assert_copied_as_they_are(outputs, world.urls)
    assert json.loads(outputs.rendered_fields()["copy_file", 1]["source_rewrites"]) == rewrites


def test_a_conf_sets_no_more_than_the_form(world, dags, monkeypatch):
    """A user who may start a run must not choose the program that runs on the worker."""
    options = world.options | {"asset_list": saved_list(world)}
    monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(options))
    conf = {"kops_command": "/bin/false", "record_url": str(world.outputs / "elsewhere")}
    outputs = world.run(dags["kops_copy_assets_manual"], conf)
    assert_copied_as_they_are(outputs, world.urls)
    assert outputs.rendered_fields()["get_assets", -1]["kops_command"] == "None"
    assert not (world.outputs / "elsewhere").exists()


@pytest.mark.parametrize("where", ["manifest", "form"])
def test_a_manifest(world, dags, monkeypatch, where):
    """Its image cannot be copied, and the reason quotes the name as it is."""
    spec, shas = world.directory / "cluster.yaml", world.directory / "shas.yaml"
    spec.write_text(SPEC)
    shas.write_text(json.dumps(_shas(spec)))
    options = world.options | {"kops_version": "1.36.2", "sha_file": str(shas)}
    conf = {"cluster_spec": SPEC if where == "form" else str(spec)}
    monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(options))
    outputs = world.run(dags["kops_check_assets"], conf)
    (asset,) = (x for x in outputs.report()["assets"] if x["canonical"] == IMAGE)
    assert asset["state"] == "failed"
    assert "{{conn.row_one.host|lower}}" in asset["error"]["message"]
    assert CANARY not in outputs.everything()


def _shas(spec):
    """Hashes for all files, so that none is fetched."""
    from kops_assets_provider.mirror.lists.get_list import list_cluster

    files = list_cluster(str(spec), "1.36.2", fetch_hashes=False).assets.files
    return {x.canonical: SHA for x in files}


def test_an_image(world, registry):
    """Its own task says why it cannot be copied, beside one that can be."""
    put_image(registry, "pause:1", make_image("pause"))
    images = [(IMAGE, f"{registry.host}/{STATEMENT}:1")]
    images.append((f"{registry.host}/pause:1", f"{registry.host}/mirror/pause:1"))
    outputs = world.copy(asset_list=saved_list(world, images))
    assert IMAGE in outputs.labels
    assert CANARY not in outputs.everything()


def fleet_dag(world, group):
    fleet = world.directory / "fleet.yaml"
    fleet.write_text(json.dumps({"groups": {"templates": group}}))
    return world.dag("(dag,) = kops_copy_fleet_dags(fleet)", fleet=str(fleet))


def test_a_fleet_file(world):
    """Options of a group and of a cluster: others than the DAG's author may write that file."""
    cluster = {"asset_list": saved_list(world), "extra_images": [f"r.example.com/{EXPRESSION}"]}
    rewrites = {"https://x.example.com/" + EXPRESSION: STATEMENT}
    group = {**world.options, "source_rewrites": rewrites, "clusters": {CLUSTER: cluster}}
    outputs = world.run(fleet_dag(world, group))
    fields = outputs.rendered_fields()["get_assets", -1]
    assert fields["source_rewrites"] == rewrites
    assert fields["clusters"] == {CLUSTER: cluster}
    assert CANARY not in outputs.everything()


def test_a_fleet_of_which_all_is_copied(world):
    """The options of a file reach the mapped tasks as well."""
    cluster = {"asset_list": saved_list(world)}
    rewrites = {"https://x.example.com/" + EXPRESSION: STATEMENT}
    group = {**world.options, "source_rewrites": rewrites, "clusters": {CLUSTER: cluster}}
    outputs = world.run(fleet_dag(world, group))
    assert_copied_as_they_are(outputs, world.urls)
    assert outputs.rendered_fields()["copy_file", 0]["source_rewrites"] == rewrites


def test_the_database_has_a_fleet_file_as_it_is(world):
    """The scheduler and the UI read DAGs from there."""
    group = {"record_url": EXPRESSION, "platforms": [STATEMENT], "clusters": [CLUSTER]}
    text = json.dumps(serialized(fleet_dag(world, group)))
    assert EXPRESSION in text
    assert STATEMENT in text


def test_an_xcom_of_another_task(world):
    """A DAG of one's own may choose the assets."""
    targets = [f"{FILES}/{x}" for x in "ab"]
    pairs = zip(world.urls, targets, strict=True)
    chosen = [{"schema": 1, "canonical": x, "download": y, "sha": SHA} for x, y in pairs]
    options = {"file_targets": world.targets}
    outputs = world.run(world.dag(CHOOSE, chosen=chosen, kind="file", options=options))
    assert set(PATHS) <= set(outputs.paths)
    assert outputs.labels == set(world.urls)
    assert CANARY not in outputs.everything()


def test_an_xcom_sets_no_options(world):
    """Its writer must not choose where a copy goes, or with which connection."""
    asset = {"schema": 1, "canonical": world.urls[0], "download": f"{FILES}/a", "sha": SHA}
    chosen = [{**asset, "file_targets": {FILES: str(world.outputs / "elsewhere")}}]
    options = {"file_targets": world.targets}
    outputs = world.run(world.dag(CHOOSE, chosen=chosen, kind="file", options=options))
    assert (world.outputs / "mirror/a").read_bytes() == CONTENT
    assert not (world.outputs / "elsewhere").exists()
    assert CANARY not in outputs.everything()


@pytest.mark.parametrize("kind", ["file", "image"])
def test_an_xcom_that_is_no_asset(world, kind):
    """Each copy fails with one line, whatever the value is."""
    chosen = ["text", 1, ["list"], {}, {"canonical": 1, "download": None}]
    outputs = world.run(world.dag(CHOOSE, chosen=chosen, kind=kind, options={}))
    assert str(outputs.run.state) == "failed"
    errors = [value["error"]["type"] for _, key, value in outputs.xcoms() if key == "error"]
    assert errors == ["InvalidInputError"] * len(chosen)


def test_a_record(world):
    """An earlier run wrote it, or somebody else."""
    listed = saved_list(world)
    world.copy(asset_list=listed)
    path = world.outputs / "records" / f"{CLUSTER}.json"
    record = json.loads(path.read_text())
    for asset in record["assets"]:
        asset["copied_by"] = EXPRESSION
    path.write_text(json.dumps(record))
    outputs = world.copy(asset_list=listed)
    assert {x["copied_by"] for x in outputs.record()["assets"]} == {EXPRESSION}
    assert CANARY not in outputs.everything()


def test_an_error_of_a_server(world):
    """Log, record and report quote it."""
    words = f"no, {EXPRESSION} {STATEMENT}"
    world.server.inject(Fault(status=403, body=words.encode(), times=None))
    outputs = world.copy(asset_list=saved_list(world), report_url=world.record_url)
    assert str(outputs.run.state) == "failed"
    assert {x["state"] for x in outputs.report()["assets"]} == {"failed"}
    assert CANARY not in outputs.everything()


def test_a_check(world):
    """It has the list in a template field."""
    text = "dag = kops_check_assets_dag('templates', **options)"
    outputs = world.run(world.dag(text, options={**world.options, "asset_list": saved_list(world)}))
    assert {x["state"] for x in outputs.report()["assets"]} == {"missing"}
    assert CANARY not in outputs.everything()
