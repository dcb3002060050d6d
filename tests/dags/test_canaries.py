"""What a run leaves in Airflow holds no secret: fields, XComs, labels, log, record and report."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.sdk._shared.secrets_masker import reset_secrets_masker
from airflow.utils.session import create_session
from sqlalchemy import delete, select

from kops_assets_provider import redaction
from kops_assets_provider.testing.messages import Fault
from tests.canaries.switch import switch_off

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]

CANARY = "canary-91bd"
EXTRA = b"extra" * 100


@pytest.fixture
def outputs(mirror, dags, monkeypatch, tmp_path, capsys, caplog):
    """Return a function that runs the DAG and returns all that can be seen of it, by place."""
    caplog.set_level(logging.DEBUG)

    def run(**changes):
        reset_secrets_masker()
        redaction.forget_all()
        caplog.clear()
        capsys.readouterr()
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
        options = {**mirror.options, "record_url": str(tmp_path / "kept"), **changes}
        options |= {"report_url": str(tmp_path / "kept")}
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(options))
        with create_session() as session:
            session.execute(delete(RenderedTaskInstanceFields))
            session.execute(delete(XComModel))
        found = dags["kops_copy_assets_manual"].test()
        with create_session() as session:
            fields = session.scalars(select(RenderedTaskInstanceFields.rendered_fields)).all()
            xcoms = session.execute(select(XComModel.key, XComModel.value)).all()
        labels = [x.rendered_map_index for x in found.get_task_instances()]
        kept = {x.name: x.read_text() for x in (tmp_path / "kept").glob("*") if x.is_file()}
        assert fields
        return found, {
            "rendered fields": str(fields),
            "xcoms": str(xcoms),
            "labels": str(labels),
            "log": caplog.text + "".join(capsys.readouterr()),
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
        f"{CANARY}-rewrite": {"rendered fields", "xcoms", "log", "small.example.com.json"},
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
