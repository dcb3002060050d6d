"""The DAG from list to report, in this process."""

import json
from collections import Counter

import pytest

from tests.airflow_versions import run_in_process
from tests.support.messages import Fault

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("airflow_db")]


@pytest.fixture
def run(mirror, dags, monkeypatch):
    """Run the DAG with the mirror's options in the Variable; give the run and its instances."""

    def run_dag(conf=None, **changes):
        monkeypatch.setenv("AIRFLOW_VAR_KOPS_ASSETS", json.dumps(mirror.options | changes))
        found = run_in_process(dags["kops_copy_assets_manual"], conf)
        return found, found.get_task_instances()

    return run_dag


def states(instances):
    return Counter((x.task_id, str(x.state)) for x in instances)


def pulled(instances, task_id, key="return_value"):
    (instance,) = (x for x in instances if x.task_id == task_id)
    return instance.xcom_pull(task_ids=task_id, key=key)


def test_a_cluster_is_mirrored(run, mirror):
    """One task for each image and file, labelled with its name; a report, and a record."""
    found, instances = run()
    assert str(found.state) == "success"
    images, files = len(mirror.assets["images"]), len(mirror.assets["files"])
    assert states(instances)["copy_image", "success"] == images
    assert states(instances)["copy_file", "success"] == files
    labels = {x.rendered_map_index for x in instances if x.task_id == "copy_image"}
    assert labels == {x["canonical"] for x in mirror.assets["images"]}
    report = pulled(instances, "report", "report")
    assert report["counts"] == {"copied": images + files}
    assert report["changes"] == {"added": images + files}
    # One after the other, as here, a copy may come before the one that it was to mount from.
    assert report["expected_bytes"] == report["sent"] - report["late"]
    record = json.loads((mirror.target_files / "kops-assets/small.example.com.json").read_text())
    assert {x["state"] for x in record["assets"]} == {"copied"}


def test_the_report_is_written(run, few, tmp_path):
    """Where the Variable says; the place may be that of the record."""
    run(report_url=f"{tmp_path}/reports", record_url=f"{tmp_path}/reports")
    page = (tmp_path / "reports/small.example.com.report.html").read_text()
    assert "The mirror is ready" in page
    report = json.loads((tmp_path / "reports/small.example.com.report.json").read_text())
    assert report["kops_version"] == "1.36.2"
    assert report["seconds"] > 0
    record = json.loads((tmp_path / "reports/small.example.com.json").read_text())
    assert len(record["assets"]) == len(report["assets"])


def test_a_dry_run_copies_nothing(run, mirror):
    """Told in the form; the report says what would be done, and nothing is written or fails."""
    found, instances = run({"dry_run": True, "platforms": ["linux/amd64"]})
    assert str(found.state) == "success"
    assert states(instances)["copy_image", "skipped"] == 1
    assert states(instances)["copy_file", "skipped"] == 1
    report = pulled(instances, "report", "report")
    images, files = len(mirror.assets["images"]), len(mirror.assets["files"])
    assert report["dry_run"] is True
    assert report["changes"] == {"added": images + files}
    assert report["expected_bytes"] > 100_000 * files
    assert report["saved"] > 0
    assert {x.method for x in mirror.target.requests} == {"HEAD"}
    assert not mirror.target_files.exists()


def test_a_second_run_copies_nothing(run, few):
    """A night with nothing new maps no task at all."""
    run()
    for server in (few.source, few.source_files, few.target):
        server.clear()
    found, instances = run()
    assert str(found.state) == "success"
    assert states(instances)["copy_image", "skipped"] == 1
    assert states(instances)["copy_file", "skipped"] == 1
    assert pulled(instances, "report", "report")["sent"] == 0
    assert {x.method for x in few.target.requests} == {"HEAD"}
    assert {x.method for x in few.source.requests} == {"HEAD"}
    assert few.source_files.requests == []


def test_a_failed_copy_fails_the_run_and_stops_no_other(run, few):
    """The report names it and says why; everything else is there."""
    few.source.inject(Fault("GET", "/channels/manifests", status=404, times=None))
    found, instances = run()
    assert str(found.state) == "failed"
    assert states(instances)["copy_image", "failed"] == 1
    assert states(instances)["copy_image", "success"] == len(few.assets["images"]) - 1
    assert states(instances)["copy_file", "success"] == len(few.assets["files"])
    report = pulled(instances, "report", "report")
    (missing,) = (x for x in report["assets"] if x["state"] == "failed")
    assert missing["canonical"].endswith("/kops/channels:1.36.2")
    assert missing["error"]["type"] == "NotFoundError"
    assert "source" in missing["error"]["message"]


def test_a_file_with_another_hash_is_not_published(run, few):
    """Nothing appears under its name, and the report says what was expected and what came."""
    kubelet = next(x for x in few.upstream.shas if x.endswith("amd64/kubelet"))
    path = kubelet.removeprefix("https://")
    few.source_files.inject(Fault("GET", "amd64/kubelet$", body=b"x" * 100_000, times=None))
    found, instances = run()
    assert str(found.state) == "failed"
    error = next(
        x["error"] for x in pulled(instances, "report", "report")["assets"] if "error" in x
    )
    assert error["type"] == "ChecksumMismatchError"
    assert few.upstream.shas[kubelet] in error["message"]
    assert not list(few.target_files.rglob(path.rsplit("/", 1)[1] + "*amd64*"))


def test_a_target_that_denies_everything_is_one_error(run, mirror):
    """The plan fails, no copy is tried, and the report says why at every image."""
    mirror.target.inject(Fault(status=403, times=None))
    found, instances = run()
    assert str(found.state) == "failed"
    assert states(instances)["plan_images", "failed"] == 1
    assert states(instances)["copy_image", "upstream_failed"] == 1
    assets = pulled(instances, "report", "report")["assets"]
    reasons = {x["error"]["type"] for x in assets if x["kind"] == "image"}
    assert reasons == {"AccessDeniedError"}


def test_the_form_goes_before_the_variable(run):
    """What the form says, and only that, replaces what the Variable says."""
    found, instances = run(conf={"kops_version": "1.99.0", "registry_conn_ids": {}})
    assert str(found.state) == "failed"
    assert states(instances)["get_assets", "failed"] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kops_version": "1.99.0"}, "1.36.2"),
        ({"cluster_spec": ""}, "is not set"),
        ({"kops_version": None}, "is not set"),
        ({"cluster_spec": "/nowhere.yaml"}, "No such file"),
        ({"cluster_spec": "a: b\nc: ["}, "YAML"),
        ({"sha_file": "/nowhere.yaml"}, "No such file"),
        ({"source_rewrites": "{"}, "expected a mapping of strings"),
        ({"any_kubernetes_version": "perhaps"}, "expected true or false"),
    ],
)
def test_bad_input_fails_the_list_alone(run, capsys, changes, words):
    """One clear error, nothing retried, nothing copied, and a report that points to it."""
    found, instances = run(**changes)
    assert words in capsys.readouterr().out
    assert str(found.state) == "failed"
    assert states(instances)["get_assets", "failed"] == 1
    assert states(instances)["copy_image", "upstream_failed"] == 1
    assert states(instances)["report", "failed"] == 1


def test_a_file_repository_that_cannot_be_written_fails_clearly(run, few):
    """It lists well, and fails only when it comes to copying; the images are copied."""
    found, instances = run(file_targets={})
    assert str(found.state) == "failed"
    assert states(instances)["plan_files", "failed"] == 1
    assert states(instances)["copy_image", "success"] == len(few.assets["images"])
    assert states(instances)["report", "failed"] == 1


def test_a_cluster_without_assets_mirrors_nothing(run, mirror, tmp_path):
    """One clear message; nothing is asked of any server."""
    spec = tmp_path / "plain.yaml"
    text = (tmp_path / "cluster.yaml").read_text()
    head, _, tail = text.partition("  assets:\n")
    spec.write_text(head + "---" + tail.partition("---")[2])
    found, instances = run(cluster_spec=str(spec))
    assert str(found.state) == "success"
    assert set(pulled(instances, "report", "report")["counts"]) == {"not mirrored"}
    assert mirror.target.requests == mirror.source.requests == []
