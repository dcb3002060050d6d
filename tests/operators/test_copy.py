"""What a copy task shows of itself: links, metrics, progress and lineage."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from kops_assets_provider.airflow_versions import AirflowFailException, AirflowRescheduleException
from kops_assets_provider.dag_factory import kops_check_assets_dag, kops_copy_assets_dag
from kops_assets_provider.exceptions import KopsAssetsError, NotFoundError, RateLimitedError
from kops_assets_provider.mirror.copy import files, images
from kops_assets_provider.mirror.copy.control import CopyResult
from kops_assets_provider.mirror.model.asset import Kind, Name, Problem, State
from kops_assets_provider.mirror.model.outcome import failed
from kops_assets_provider.operators.copy import KopsCopyFileOperator, KopsCopyImageOperator
from kops_assets_provider.operators.links import SourceLink, TargetLink
from tests.airflow_versions import metrics_client
from tests.canaries.switch import switch_off
from tests.outcomes import make_outcome
from tests.support.file_server import FileServer
from tests.support.messages import Fault
from tests.support.s3_server import S3Server

URL = "https://dl.example.com/kubelet"
IMAGE = {
    "canonical": "registry.k8s.io/pause:3.10",
    "download": "r.example.com:5000/kops/pause:3.10",
}
FILE = {
    "canonical": f"{URL}?token=secret",
    "download": "https://cdn.example.com/kops/kubelet",
    "sha": "a" * 64,
    "file_targets": '{"https://cdn.example.com": "s3://bucket"}',
}


class Counters:
    """Takes what Airflow would send to a metrics server."""

    def __init__(self):
        self.counts = {}

    def incr(self, stat, count=1, rate=1, *, tags=None):
        del rate
        self.counts[stat, tuple(sorted((tags or {}).items()))] = count


@pytest.fixture
def counters():
    """Airflow's metrics, on, with a server of ours."""
    found = Counters()
    with metrics_client(lambda: found):
        yield found.counts


def operator(cls, **options):
    return cls(task_id="copy", **((IMAGE if cls is KopsCopyImageOperator else FILE) | options))


def run(task, monkeypatch, result=None, error=None):
    """Execute a task whose copy gives ``result`` or the error; return what it returns."""

    def copy(_, control):
        control.on_chunk(10)
        if isinstance(error, KopsAssetsError):
            return CopyResult(outcome=failed(asset_of(task), Problem.of(error)), error=error)
        if error:
            raise error
        return CopyResult(outcome=result)

    monkeypatch.setattr(images, "copy_image", copy)
    monkeypatch.setattr(files, "copy_file", copy)
    monkeypatch.setattr(task, "registries", lambda: None, raising=False)
    monkeypatch.setattr(task, "file_stores", lambda: None, raising=False)
    state = {}
    store = SimpleNamespace(get=state.get, set=state.__setitem__)
    ti = SimpleNamespace(xcom_push=lambda **_: None, try_number=1)
    return task.execute({"ti": ti, "task_state_store": store})


def asset_of(task):
    return Name(kind=task.kind, canonical=task.source_name, download=task.target_name)


@pytest.mark.parametrize("task_id", ["copy_image", "copy_file"])
def test_a_label_fits_into_airflows_database(task_id):
    """PostgreSQL refuses one of more than 250 characters; the end tells files apart."""
    dag = kops_copy_assets_dag("x", cluster_spec="c.yaml", kops_version="1.36.2")
    template = dag.get_template_env().from_string(dag.get_task(task_id).map_index_template)
    for name in (URL, f"https://{'x' * 300}/kubelet"):
        label = template.render(task=SimpleNamespace(source_name=name))
        assert len(label) == min(250, len(name))
        assert name.endswith(label)


@pytest.mark.parametrize("make", [kops_copy_assets_dag, kops_check_assets_dag])
def test_every_task_says_what_to_do_when_it_fails(make):
    """In the UI, beside it."""
    dag = make("x", cluster_spec="c.yaml", kops_version="1.36.2")
    assert dag.doc_md
    assert all("**It fails**" in task.doc_md for task in dag.tasks)


@pytest.mark.parametrize(
    ("cls", "source", "target"),
    [
        (
            KopsCopyImageOperator,
            "https://registry.k8s.io/v2/pause/manifests/3.10",
            "https://r.example.com:5000/v2/kops/pause/manifests/3.10",
        ),
        (KopsCopyFileOperator, URL, "https://cdn.example.com/kops/kubelet"),
    ],
)
def test_links_lead_to_source_and_target(cls, source, target):
    """Without what may be secret in a URL; no copy is needed for them."""
    task = operator(cls)
    links = {x.name: x.get_link(task, ti_key=None) for x in cls.operator_extra_links}
    assert links == {"Source": source, "Target": target}


def test_what_was_not_rendered_has_no_link():
    """Airflow asks also when it was the templates that failed."""
    task = operator(KopsCopyImageOperator, canonical=None, download=object())
    assert SourceLink().get_link(task, ti_key=None) == ""
    assert TargetLink().get_link(task, ti_key=None) == ""


def test_a_copy_is_counted_with_what_it_cost(monkeypatch, counters):
    """Nothing is sent for what is zero."""
    names = Kind.IMAGE, IMAGE["canonical"], IMAGE["download"]
    outcome = make_outcome(*names, State.COPIED, sent=1000, mounts=2, retries=3)
    run(operator(KopsCopyImageOperator), monkeypatch, outcome)
    tags = (("kind", "image"), ("target", "r.example.com:5000"))
    expected = {"copied": 1, "bytes": 1000, "mounts": 2, "retries": 3}
    assert counters == {(f"kops_assets.{k}", tags): v for k, v in expected.items()}


def test_a_file_that_was_there_is_counted_as_such(monkeypatch, counters):
    """Under its bucket, whatever it is downloaded through."""
    outcome = make_outcome(Kind.FILE, FILE["canonical"], FILE["download"], State.PRESENT)
    run(operator(KopsCopyFileOperator), monkeypatch, outcome)
    tags = (("kind", "file"), ("target", "bucket"))
    assert counters == {("kops_assets.present", tags): 1}


@pytest.mark.parametrize(
    ("error", "raised", "name"),
    [
        (NotFoundError("gone"), AirflowFailException, "failed"),
        (RateLimitedError("busy", retry_after=60), AirflowRescheduleException, "rescheduled"),
        (ValueError("a bug"), ValueError, "failed"),
    ],
)
def test_what_was_put_off_has_not_failed(monkeypatch, counters, error, raised, name):
    """It gives its slot back, and comes again."""
    with pytest.raises(raised):
        run(operator(KopsCopyFileOperator), monkeypatch, error=error)
    assert counters == {(f"kops_assets.{name}", (("kind", "file"), ("target", "bucket"))): 1}


@pytest.mark.parametrize("answer", [Fault("GET", body=b""), Fault("GET", status=204)])
def test_an_empty_answer_replaces_no_file(monkeypatch, answer):
    """Not even in a bucket of a server that ignores checksums; the task fails for good."""
    with FileServer({"/kubelet": b"kubelet"}) as source, S3Server(["bucket"], checks=False) as s3:
        extra = {"endpoint_url": s3.url, "region_name": "us-east-1"}
        value = {"conn_type": "aws", "login": "a", "password": "s", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
        s3.put("bucket", "kops/kubelet", b"yesterday's")
        source.inject(answer)
        sha = hashlib.sha256(b"kubelet").hexdigest()
        task = operator(KopsCopyFileOperator, canonical=f"{source.url}/kubelet", sha=sha)
        ti = SimpleNamespace(xcom_push=lambda **_: None, try_number=1)
        context = {"ti": ti, "task_state_store": SimpleNamespace(get=lambda _: None, set=print)}
        with pytest.raises(AirflowFailException, match="source"):
            task.execute(context)
        assert s3.buckets["bucket"].objects["kops/kubelet"].data == b"yesterday's"
        assert s3.count("PUT") == 0
        assert task.execute(context)["state"] == "copied"
        assert s3.buckets["bucket"].objects["kops/kubelet"].data == b"kubelet"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["kubelet", "kubelet.sha256"])
def test_a_pipe_in_a_directory_fails_the_copy(tmp_path, name):
    """It is not waited for, and a retry would find it again."""
    os.mkfifo(tmp_path / name)
    with FileServer({"/kubelet": b"kubelet"}) as source:
        task = operator(
            KopsCopyFileOperator,
            canonical=f"{source.url}/kubelet",
            sha=hashlib.sha256(b"kubelet").hexdigest(),
            file_targets={"https://cdn.example.com/kops": str(tmp_path)},
        )
        ti = SimpleNamespace(xcom_push=lambda **_: None, try_number=1)
        context = {"ti": ti, "task_state_store": SimpleNamespace(get=lambda _: None, set=print)}
        with pytest.raises(AirflowFailException, match=f"{name}: it is a pipe"):
            task.execute(context)
    assert (tmp_path / name).is_fifo()


def test_metrics_that_fail_fail_no_copy(monkeypatch):
    """Whatever Airflow's client raises."""

    def broken():
        raise RuntimeError("no route")

    outcome = make_outcome(Kind.FILE, FILE["canonical"], FILE["download"], State.COPIED, sent=1)
    with metrics_client(broken):
        assert run(operator(KopsCopyFileOperator), monkeypatch, outcome)["sent"] == 1


def test_a_wrong_option_fails_the_copy_and_not_its_metrics(monkeypatch, counters):
    """The error is that of the copy, in its own words."""
    task = operator(KopsCopyFileOperator, file_targets="{")
    with pytest.raises(AirflowFailException, match="sha of nothing"):
        run(task, monkeypatch, error=NotFoundError("sha of nothing"))
    assert [dict(x[1])["target"] for x in counters] == ["unknown"]


@pytest.fixture
def openlineage(monkeypatch):
    """Stand-ins for what OpenLineage and its provider have."""
    facet = "airflow.providers.common.compat.openlineage.facet"
    extractors = "airflow.providers.openlineage.extractors"
    for name, member in ((facet, "Dataset"), (extractors, "OperatorLineage")):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setattr(sys.modules[name], member, SimpleNamespace, raising=False)
    monkeypatch.setitem(
        sys.modules, "airflow.providers.openlineage", ModuleType("airflow.providers.openlineage")
    )


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize("when", ["complete", "failure"])
@pytest.mark.parametrize(
    ("cls", "source", "target"),
    [
        (
            KopsCopyImageOperator,
            ("oci://registry.k8s.io", "pause:3.10"),
            ("oci://r.example.com:5000", "kops/pause:3.10"),
        ),
        (
            KopsCopyFileOperator,
            ("https://dl.example.com", "/kubelet"),
            ("s3://bucket", "kops/kubelet"),
        ),
    ],
)
def test_openlineage_is_told_from_where_to_where(cls, source, target, when):
    """Whether the copy came to its end or not."""
    found = getattr(operator(cls), f"get_openlineage_facets_on_{when}")(None)
    ((given,), (made,)) = (found.inputs, found.outputs)
    assert (given.namespace, given.name) == source
    assert (made.namespace, made.name) == target


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize("options", [{"file_targets": "{"}, {}])
def test_a_wrong_option_has_no_lineage(options):
    """The copy itself says what is wrong."""
    cls = KopsCopyFileOperator if options else KopsCopyImageOperator
    task = operator(cls, **options or {"download": "NOT an image"})
    assert task.get_openlineage_facets_on_failure(None) is None


@pytest.mark.usefixtures("openlineage")
@pytest.mark.parametrize("off", [True, False])
def test_user_info_in_metrics_and_lineage(monkeypatch, counters, off):
    """With redaction off both have it, which shows that this looks where it would be."""
    url = "https://bob:canary@elsewhere.example.com/x?sig=canary"
    task = operator(KopsCopyFileOperator, canonical=url, download=url)
    with pytest.MonkeyPatch.context() as patch:
        if off:
            switch_off(patch)
        with pytest.raises(AirflowFailException):
            run(task, monkeypatch, error=NotFoundError("gone"))
        lineage = task.get_openlineage_facets_on_failure(None)
    assert "elsewhere.example.com" in str(counters)
    assert "elsewhere.example.com" in str(lineage)
    assert ("canary" in str(counters), "canary" in str(lineage)) == (off, off)


def test_without_openlineage_nothing_breaks(monkeypatch):
    """It is not installed with this package."""
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    task = operator(KopsCopyFileOperator)
    assert task.get_openlineage_facets_on_complete(None) is None
