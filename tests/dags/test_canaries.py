"""
What a run leaves in Airflow holds no secret: fields, XComs, labels, log, record and report.

Nor does what leaves Airflow: metrics, lineage, and what the page is told.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import shutil
import sys
from datetime import UTC, datetime, timedelta
from types import ModuleType, SimpleNamespace

import pytest
import requests
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from kops_assets_provider import redaction
from kops_assets_provider.operators.copy import _CopyOperator
from kops_assets_provider.ui.mirrors import all_mirrors
from kops_assets_provider.ui.record_access import RecordPlaces
from kops_assets_provider.ui.records import Records
from kops_assets_provider.ui.view import page_values
from tests.airflow_versions import (
    NoStatsLogger,
    forget_masked_secrets,
    metrics_client,
    run_in_process,
)
from tests.canaries.switch import switch_off
from tests.support.asset_lists import asset_list
from tests.support.google_account import service_account
from tests.support.http_server import HttpServer, Response
from tests.support.images import make_image, put_image
from tests.support.messages import Fault

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

CANARY = "canary-91bd"
EXTRA = b"extra" * 100


SENT = []


class Metrics(NoStatsLogger):
    """Takes what Airflow would send to a metrics server."""

    @classmethod
    def incr(cls, stat, count=1, rate=1, *, tags=None):
        SENT.append((stat, count, rate, tags))


@pytest.fixture
def metrics():
    with metrics_client(Metrics):
        yield SENT


@pytest.fixture
def lineage(monkeypatch):
    """Ask each copy what OpenLineage asks for, when it has ended."""
    facet = "airflow.providers.common.compat.openlineage.facet"
    extractors = "airflow.providers.openlineage.extractors"
    for name, member in ((facet, "Dataset"), (extractors, "OperatorLineage")):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setattr(sys.modules[name], member, SimpleNamespace, raising=False)
    parent = "airflow.providers.openlineage"
    monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
    found, execute = [], _CopyOperator.execute

    def execute_and_tell(self, context):
        try:
            return execute(self, context)
        finally:
            found.append(self.get_openlineage_facets_on_complete(None))

    monkeypatch.setattr(_CopyOperator, "execute", execute_and_tell)
    return found


def page_json(dag_id, places):
    """Return what the page is told of the DAG's clusters, and of its last run."""
    now = datetime.now(UTC)
    since, records = now - timedelta(minutes=5), Records()
    shown = all_mirrors([dag_id], since, records, lambda _: True, RecordPlaces(prefixes=[places]))
    return json.dumps(page_values(shown, now, timedelta(hours=1)), ensure_ascii=False)


@pytest.fixture
def outputs(mirror, dags, monkeypatch, tmp_path, capsys, caplog, metrics, lineage):
    """Return a function that runs the DAG and returns all that can be seen of it, by place."""
    caplog.set_level(logging.DEBUG)

    def run(**changes):
        forget_masked_secrets()
        redaction.forget_all()
        caplog.clear()
        capsys.readouterr()
        metrics.clear()
        lineage.clear()
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
        options = {**mirror.options, "record_url": str(tmp_path / "kept"), **changes}
        options.setdefault("report_url", str(tmp_path / "kept"))
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(options))
        with create_session() as session:
            session.execute(delete(RenderedTaskInstanceFields))
            session.execute(delete(XComModel))
        found = run_in_process(dags["kops_copy_assets_manual"])
        with create_session() as session:
            fields = session.scalars(select(RenderedTaskInstanceFields.rendered_fields)).all()
            xcoms = session.execute(select(XComModel.key, XComModel.value)).all()
        labels = [x.rendered_map_index for x in found.get_task_instances()]
        kept = {x.name: x.read_text() for x in (tmp_path / "kept").glob("*") if x.is_file()}
        assert fields
        return found, {
            "rendered fields": str(fields),
            # The text of a row is cut.
            "xcoms": str([tuple(x) for x in xcoms]),
            "labels": str(labels),
            "log": caplog.text + "".join(capsys.readouterr()),
            "metrics": str(metrics),
            "lineage": str(lineage),
            "page": page_json(found.dag_id, str(tmp_path / "kept")),
            **kept,
        }

    return run


def seen(outputs, secret):
    return {name for name, text in outputs.items() if secret in text}


@pytest.fixture
def changes(mirror):
    """What a user may write: secrets in a rewrite, a target, an extra file, and their places."""
    (mirror.target_files.parent / "upstream" / "extra").write_bytes(EXTRA)
    url = "https://dl.example.com/extra"
    here = f"{mirror.source_files.url}/extra?X-Amz-Signature={CANARY}-rewrite"
    shown = f"https://bob:{CANARY}-target@files.example.com/kops"
    return {
        "extra_files": {f"{url}?sig={CANARY}-extra": hashlib.sha256(EXTRA).hexdigest()},
        "source_rewrites": {**mirror.upstream.rewrites, url: here},
        "file_targets": {shown: str(mirror.target_files)},
    }


def test_no_secret_is_left(mirror, outputs, changes):
    """The extra file is copied by a signed URL, which is seen nowhere."""
    words = json.dumps({"errors": [{"code": "X", "message": f"who is {CANARY}-rewrite?"}]})
    fault = Fault("GET", "/extra", status=403, body=words.encode(), times=None)
    secrets = {
        f"{CANARY}-extra": {"xcoms", "rendered fields", "labels"},
        f"{CANARY}-rewrite": {"rendered fields", "xcoms", "log", "page", "small.example.com.json"},
        f"{CANARY}-target": {"rendered fields"},
    }
    with pytest.MonkeyPatch.context() as patch:
        switch_off(patch)
        mirror.source_files.inject(fault)
        _, leaky = outputs(**changes)
    for secret, expected in secrets.items():
        assert seen(leaky, secret) >= expected, secret
    for inject in (True, False):
        mirror.source_files.clear()
        if inject:
            mirror.source_files.inject(fault)
        found, tight = outputs(**changes)
        assert str(found.state) == ("failed" if inject else "success")
        assert not any(seen(tight, x) for x in secrets)
        assert "https://dl.example.com/extra" in tight["small.example.com.json"]
    assert (mirror.target_files / "extra").read_bytes() == EXTRA


def test_a_signed_url_without_a_rewrite_is_refused(mirror, outputs, changes):
    """Its copy is another process, which could only learn it from XCom; the error names the way."""
    changes["source_rewrites"] = mirror.upstream.rewrites
    found, tight = outputs(**changes)
    assert str(found.state) == "failed"
    assert "source_rewrites" in tight["log"]
    assert seen(tight, f"{CANARY}-extra") == set()


@pytest.fixture
def small(mirror, tmp_path):
    """Return a function that gives the options for a list of one image and one file."""
    (mirror.target_files.parent / "upstream" / "extra").write_bytes(EXTRA)
    put_image(mirror.source, "app:1", make_image("app"))

    def options(canonical="", download="https://files.example.com/kops/extra"):
        images = [(f"{mirror.source.host}/app:1", f"{mirror.target.host}/kops/app:1")]
        canonical = canonical or f"{mirror.source_files.url}/extra"
        sha = hashlib.sha256(EXTRA).hexdigest()
        files = [{"canonical": canonical, "download": download, "sha": sha}]
        path = tmp_path / "list.json"
        values = asset_list("small.example.com", images) | {"files": files}
        path.write_text(json.dumps(values))
        return {"asset_list": str(path), "cluster_spec": "", "sha_file": None}

    return options


@pytest.fixture
def hidden(outputs):
    """Return a function that runs the DAG with redaction off and on, and searches both."""

    def run(secrets, before=lambda: None, **changes):
        with pytest.MonkeyPatch.context() as patch:
            switch_off(patch)
            before()
            _, leaky = outputs(**changes)
        for secret, expected in secrets.items():
            assert seen(leaky, secret) >= expected, secret
        before()
        found, tight = outputs(**changes)
        assert {x: seen(tight, x) for x in secrets} == {x: set() for x in secrets}
        return found, tight

    return run


def test_user_info_in_lineage(mirror, hidden, small):
    """It is told of the source by the name that a saved list has."""
    here = mirror.source_files.url.replace("//", f"//bob:{CANARY}-source@")
    shown = {"lineage", "xcoms", "page", "labels"}

    def empty():
        shutil.rmtree(mirror.target_files, ignore_errors=True)

    found, tight = hidden({f"{CANARY}-source": shown}, empty, **small(f"{here}/extra"))
    assert str(found.state) == "success"
    assert mirror.source_files.url in tight["lineage"]
    assert "kops_assets.copied" in tight["metrics"]


class Echo(HttpServer):
    """A registry, a bucket and a token server that quotes in its errors all that it knows."""

    knows = ""

    def answer(self, request):
        request.body.drain()
        if request.path == "/token":
            body = {"access_token": f"{CANARY}-token", "expires_in": 3600}
            return Response(200, {"Content-Type": "application/json"}, json.dumps(body).encode())
        # An error is cut to length, so nothing harmless may stand before a secret.
        parts = f"{request.query}&{request.headers.get('Authorization')}".split("&")
        self.knows += "".join(f" {x}" for x in parts if CANARY in x and x not in self.knows)
        if request.method in ("GET", "HEAD"):
            return Response(404)
        if request.method == "POST":  # Google's upload session
            return Response(200, {"Location": f"{self.url}/session"})
        body = json.dumps({"errors": [{"code": "DENIED", "message": f"who is {self.knows}?"}]})
        return Response(403, {}, body.encode())


@pytest.fixture
def echo():
    with Echo() as server:
        yield server


def define(monkeypatch, name, conn_type, **values):
    monkeypatch.setenv(
        f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": conn_type, **values})
    )


def test_the_secrets_of_an_aws_connection(hidden, small, echo, monkeypatch):
    """A server that speaks as S3 does knows the key, and is sent the session's token."""
    define(
        monkeypatch,
        "canary_aws",
        "aws",
        login="AKIAEXAMPLE00001",
        password=f"{CANARY}-key",
        extra={
            "endpoint_url": echo.url,
            "region_name": "eu-west-1",
            "aws_session_token": f"{CANARY}-session",
        },
    )
    echo.knows = f"{CANARY}-key"
    targets = {"https://files.example.com/kops": "s3://bucket"}
    shown = {"xcoms", "log", "page", "small.example.com.report.json"}
    options = {**small(), "aws_conn_id": "canary_aws", "file_targets": targets}
    found, tight = hidden({f"{CANARY}-key": shown, f"{CANARY}-session": shown}, **options)
    assert str(found.state) == "failed"
    assert "the AWS credentials need" in tight["page"]


@pytest.fixture
def closed_sessions(monkeypatch):
    """Google's client leaves its connections to the collector, and another test would see that."""
    sessions, init = [], requests.Session.__init__

    def remembering(self, *args, **kwargs):
        init(self, *args, **kwargs)
        sessions.append(self)

    monkeypatch.setattr(requests.Session, "__init__", remembering)
    yield
    for session in sessions:
        session.close()


@pytest.mark.usefixtures("closed_sessions")
def test_the_secrets_of_a_google_connection(hidden, small, echo, monkeypatch):
    """The token that its key is exchanged for; the key itself is sent to nobody."""
    key = service_account(f"{echo.url}/token")
    extra = {"keyfile_dict": json.dumps(key), "project": "p"}
    define(monkeypatch, "canary_google", "google_cloud_platform", extra=extra)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", echo.url)
    targets = {"https://files.example.com/kops": "gs://bucket"}
    shown = {"xcoms", "log", "page", "small.example.com.report.json"}
    options = {**small(), "gcp_conn_id": "canary_google", "file_targets": targets}
    found, tight = hidden({f"{CANARY}-token": shown}, **options)
    assert seen(tight, key["private_key"].splitlines()[1]) == set()
    assert str(found.state) == "failed"
    assert "DENIED" in tight["page"]


def test_the_secrets_of_a_registry_s_connection(mirror, hidden, small, monkeypatch):
    """The password, and the header that it is sent in."""
    host, _, port = mirror.target.host.partition(":")
    password = f"{CANARY}-password"
    define(
        monkeypatch,
        "canary_oci",
        "oci_registry",
        host=host,
        port=int(port),
        login="robot",
        password=password,
    )
    header = base64.b64encode(f"robot:{password}".encode()).decode()
    words = json.dumps({"errors": [{"code": "DENIED", "message": f"not {password}, {header}"}]})
    fault = Fault("POST", "/v2/kops/", status=403, body=words.encode(), times=None)
    mirror.target.inject(fault)
    shown = {"xcoms", "log", "page", "small.example.com.json"}
    found, tight = hidden(
        {password: shown, header: shown},
        **small(),
        registry_conn_ids={mirror.target.host: "canary_oci"},
    )
    assert str(found.state) == "failed"
    assert "DENIED" in tight["page"]


@pytest.mark.parametrize(
    "place", ["https://bucket.s3.eu-west-1.amazonaws.com/x", "s3://bucket/x", "gs://bucket/x"]
)
def test_a_signed_place_is_refused(hidden, small, place):
    """Of the record and the report the run goes on without; the saved list ends it."""
    secrets = {x: {"rendered fields"} for x in (f"{CANARY}-record", f"{CANARY}-report")}
    urls = {f"{x}_url": f"{place}?X-Amz-Signature={CANARY}-{x}" for x in ("record", "report")}
    found, tight = hidden(secrets, **small(), **urls)
    assert str(found.state) == "success"
    assert tight["log"].count("a place has no query") >= 2
    output = f"{place}/list.json?X-Amz-Signature={CANARY}-output"
    secrets = {f"{CANARY}-output": {"rendered fields"}}
    found, tight = hidden(secrets, **small(), output_url=output)
    assert str(found.state) == "failed"
    assert "a place has no query" in tight["log"]
