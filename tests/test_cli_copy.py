"""kops-assets check and copy, as a shell sees them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from kops_assets_provider.cli import main
from tests.support.file_server import FileServer
from tests.support.images import make_image, put_image
from tests.support.messages import Fault
from tests.support.oci_registry import OciRegistryServer
from tests.support.registry.auth import BasicAuth
from tests.support.s3_server import S3Server

FILE = b"kubelet" * 1000
DOWNLOAD = "https://files.example.com/k/kubelet"
LOGIN = ("robot", "canary-password")


class World:
    """A source, a target that wants a password, and a list of two images and a file."""

    def __init__(self, source, target, files, folder):
        self.source, self.target, self.files, self.folder = source, target, files, folder
        for name in ("one", "two"):
            put_image(source, f"app/{name}:1", make_image(name))
        files.put("/kubelet", FILE)
        self.config = folder / "config.json"
        auth = base64.b64encode(":".join(LOGIN).encode()).decode()
        self.config.write_text(json.dumps({"auths": {target.host: {"auth": auth}}}))
        self.list = folder / "prod.example.com.json"
        self.write_list("one", "two")

    def write_list(self, *names):
        images = [
            {
                "canonical": f"{self.source.host}/app/{x}:1",
                "download": f"{self.target.host}/kops/{x}:1",
            }
            for x in names
        ]
        sha = hashlib.sha256(FILE).hexdigest()
        file = {"canonical": f"{self.files.url}/kubelet", "download": DOWNLOAD, "sha": sha}
        self.list.write_text(json.dumps({"images": images, "files": [file]}))

    def arguments(self, command, *more):
        return [
            *(command, "--list", str(self.list), "--registry-config", str(self.config)),
            *("--file-target", f"https://files.example.com={self.folder}/mirror", *more),
        ]

    def run(self, command, *more):
        return main(self.arguments(command, *more))


@pytest.fixture
def world(tmp_path):
    auth = BasicAuth(*LOGIN)
    with (
        OciRegistryServer() as source,
        OciRegistryServer(auth=auth) as target,
        FileServer() as files,
    ):
        yield World(source, target, files, tmp_path)


def test_a_check_tells_what_is_missing_and_a_copy_ends_it(world, capsys):
    """The status says it to a script, the table to whoever reads it; nothing is left to be done."""
    assert world.run("check") == 1
    assert capsys.readouterr().out.count("missing") == 3 + 2
    assert world.run("copy") == 0
    out = capsys.readouterr().out
    assert "prod.example.com: 2 images (2 copied), 1 files (1 copied)" in out
    assert (world.folder / "mirror/k/kubelet").read_bytes() == FILE
    assert world.run("check") == 0
    assert "2 images (2 present), 1 files (1 present)" in capsys.readouterr().out


def test_a_check_writes_nothing(world):
    """Also where everything is missing."""
    world.run("check")
    assert {x.method for x in world.target.requests} == {"HEAD"}
    assert not (world.folder / "mirror").exists()


def test_what_is_wrong_is_another_thing_than_what_is_missing(world, capsys):
    """A tag that moved upstream, and a file that was overwritten."""
    world.run("copy")
    put_image(world.source, "app/one:1", make_image("moved"))
    (world.folder / "mirror/k/kubelet").write_bytes(FILE.swapcase())
    capsys.readouterr()
    assert world.run("check") == 1
    out = capsys.readouterr().out
    assert "2 images (1 present, 1 wrong), 1 files (1 wrong)" in out
    assert "it is another file" in out
    assert world.run("copy", "--on-drift", "take") == 0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Fault("GET", body=b""), "http://HOST/kubelet: expected sha256"),
        (Fault("GET", status=204), "HOST: GET /kubelet answered 204"),
    ],
)
def test_an_empty_answer_replaces_no_file(world, capsys, monkeypatch, answer, words):
    """Not even in a bucket of a server that ignores checksums, if the source is taken as it is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "access")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with S3Server(["mirror"], checks=False) as bucket:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.url)
        bucket.put("mirror", "k/kubelet", b"yesterday's")
        world.files.inject(replace(answer, times=None))
        place = ("--file-target", "https://files.example.com=s3://mirror")
        assert world.run("copy", "--on-drift", "take", *place) == 1
        assert bucket.buckets["mirror"].objects["k/kubelet"].data == b"yesterday's"
        assert bucket.count("PUT", "kubelet") == 0
        assert f"source {words}" in capsys.readouterr().out.replace(world.files.host, "HOST")
        world.files.clear_faults()
        assert world.run("copy", "--on-drift", "take", *place) == 0
        assert bucket.buckets["mirror"].objects["k/kubelet"].data == FILE


FAILED = "1 files (1 failed)"
PRESENT = "1 files (1 present)"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("command", ["check", "copy"])
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("mirror/k/kubelet", FAILED),
        ("mirror/k/kubelet.sha256", FAILED),
        ("records/prod.example.com.json", PRESENT),
        ("reports/prod.example.com.report.html", PRESENT),
        ("prod.example.com.json", ""),
    ],
)
def test_a_pipe_in_the_way_is_told_and_left(world, capsys, caplog, command, place, expected):
    """It is neither waited for nor replaced; what it does not concern goes on."""
    places = [f"--{x}-url={world.folder}/{x}s" for x in ("record", "report")]
    world.run("copy", "--quiet", *places)
    capsys.readouterr()
    (world.folder / place).unlink()
    os.mkfifo(world.folder / place)
    assert world.run(command, *places) == (expected != PRESENT)
    out, err = capsys.readouterr()
    assert expected in out
    said = f"{world.folder / place}: it is a pipe, not a regular file"
    assert said in out + err + caplog.text
    assert (world.folder / place).is_fifo()


def test_a_dry_run_tells_what_a_copy_would_do(world, capsys):
    """Nothing is written, and the status is that of success."""
    assert world.run("copy", "--dry-run", "--platform", "linux/amd64") == 0
    out = capsys.readouterr().out
    assert "prod.example.com: 3 added; a copy would send at most" in out
    assert "the platforms that are left out save" in out
    assert {x.method for x in world.target.requests} == {"HEAD"}
    assert not (world.folder / "mirror").exists()
    world.run("copy", "--dry-run", "--output", "json")
    assert json.loads(capsys.readouterr().out)["changes"] == {"added": 3}


def test_a_check_tells_what_will_bite(world, capsys):
    """As list and copy do, on standard error."""
    put_image(world.source, "app/three:latest", make_image("three"))
    listed = json.loads(world.list.read_text())
    listed["images"][0]["canonical"] = f"{world.source.host}/app/three:latest"
    world.list.write_text(json.dumps(listed))
    world.run("check")
    assert "warning: " in capsys.readouterr().err


def test_json_has_a_result_for_every_asset(world, capsys):
    """What each cost, and why one failed, while the others go on."""
    world.write_list("one", "none", "two")
    assert world.run("copy", "--output", "json", "--jobs", "2") == 1
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["ready"] is False
    assert report["counts"] == {"copied": 3, "failed": 1}
    one, none, two, file = report["assets"]
    assert one["content"] == one["source"] == make_image("one").digest
    assert one["sent"] == two["sent"] + two["mounted"]
    assert one["seconds"] > 0
    assert two["mounts"] == 2
    assert one["requests"] > two["requests"]
    assert none["error"]["type"] == "NotFoundError"
    assert file["sent"] == len(FILE) + 64
    assert file["seconds"] > 0
    assert f"failed {none['canonical']}: source" in err


def test_retries_are_counted(world, capsys):
    """Of each image its own."""
    world.source.inject(Fault("GET", "/app/two/blobs/", status=503, times=2))
    world.run("copy", "--output", "json", "--jobs", "1")
    one, two, _ = json.loads(capsys.readouterr().out)["assets"]
    assert (one.get("retries", 0), two["retries"]) == (0, 2)


def test_the_record_is_kept(world):
    """Beside the files, as the DAGs keep it, or where it is wanted."""
    world.run("copy", "--record-url", str(world.folder / "records"))
    record = json.loads((world.folder / "records/prod.example.com.json").read_text())
    assert {x["state"] for x in record["assets"]} == {"copied"}
    assert record["run"].startswith("kops-assets copy at ")


@pytest.mark.parametrize(("command", "ready"), [("check", False), ("copy", True)])
def test_the_report_is_written(world, capsys, monkeypatch, command, ready):
    """As a page and as JSON, where it is wanted; it is told where, and printed all the same."""
    monkeypatch.chdir(world.folder)
    assert world.run(command, "--report-url", "reports") == (not ready)
    out, err = capsys.readouterr()
    page = world.folder / "reports/prod.example.com.report.html"
    assert ("The mirror is ready" in page.read_text()) == ready
    found = json.loads(page.with_suffix(".json").read_text())
    assert found["ready"] == ready
    assert found["run"].startswith(f"kops-assets {command} at ")
    assert found["seconds"] > 0
    assert f"the report is written to {page} and " in err
    assert "prod.example.com: 2 images" in out


def test_a_report_that_cannot_be_written_is_printed(world, capsys):
    """What was copied counts: the status is the mirror's."""
    (world.folder / "taken").write_text("no directory")
    assert world.run("copy", "--quiet", "--report-url", str(world.folder / "taken")) == 0
    out, err = capsys.readouterr()
    assert "2 images (2 copied)" in out
    assert err.startswith("warning: the report could not be written to files: target file://")
    assert err.count("\n") == 1


def test_platforms(world, capsys):
    """One of two, under an index of its own."""
    assert world.run("copy", "--platform", "linux/arm64", "-o", "json") == 0
    one = json.loads(capsys.readouterr().out)["assets"][0]
    assert one["content"] != one["source"] == make_image("one").digest
    assert world.run("check", "--platform", "linux/arm64") == 0
    assert world.run("check") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--platform", "amd64"], "platforms: 'amd64' is none"),
        (["--file-target", "nothing"], "--file-target: expected PREFIX=PLACE"),
        (["--file-target", "https://x=relative"], "file_targets"),
        (["--registry-config", "/nowhere"], "/nowhere"),
        (["--report-url", "s3://"], "is not s3://bucket/prefix"),
        (["--report-url", "https://elsewhere.example.com/x"], "cannot write to"),
        (["--source-rewrite", "=x"], "--source-rewrite: expected"),
        (["--list", "/nowhere.json"], "no such document"),
    ],
)
def test_a_typo_is_one_line(world, capsys, arguments, words):
    """It says what is wrong, and nothing is done."""
    assert world.run("copy", *arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err
    assert world.target.requests == []


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_jobs_are_a_number(world, capsys, jobs):
    """Wrong usage, like any other."""
    with pytest.raises(SystemExit) as caught:
        world.run("copy", f"--jobs={jobs}")
    assert caught.value.code == 2
    assert "expected a whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("days", ["-1", "nan", "inf", "canary"])
def test_days_are_a_number(world, capsys, days):
    """Wrong usage as well, in the words of the DAG's error; the value is not repeated."""
    with pytest.raises(SystemExit) as caught:
        world.run("copy", f"--warm-days={days}")
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert "--warm-days: expected a number of days, 0 or more" in err
    assert "canary" not in err


def test_a_wrong_password_is_told_and_not_shown(world, capsys):
    """A target that lets nobody in is one error, not one for every image."""
    auth = base64.b64encode(b"robot:canary-wrong").decode()
    world.config.write_text(json.dumps({"auths": {world.target.host: {"auth": auth}}}))
    assert world.run("copy") == 1
    err = capsys.readouterr().err
    assert "answered 401" in err
    assert "canary" not in err


def test_progress_on_a_terminal_ends_at_the_whole(world):
    """Bytes that go up; and a line for each asset that is done."""
    script = [sys.executable, "-m", "kops_assets_provider.cli", *world.arguments("copy")]
    leader, follower = pty.openpty()
    process = subprocess.Popen(script, stderr=follower, stdout=subprocess.DEVNULL)
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 4096):
            shown += chunk
    except OSError:
        pass  # how a terminal ends
    os.close(leader)
    assert process.wait(30) == 0
    text = shown.decode()
    assert "copying" in text
    assert text.count("copied ") == 3


def test_quiet_is_quiet(world, capsys):
    """Only the result is printed."""
    assert world.run("copy", "--quiet") == 0
    assert capsys.readouterr().err == ""


def test_ctrl_c_ends_it_at_once(world):
    """Status 130, within a second or two, with nothing half-made left behind."""
    world.source.inject(Fault("GET", "/blobs/", drip=0.05, times=None))
    # A shell that runs its jobs in the background has them ignore Ctrl-C, tests and all.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"import sys; from kops_assets_provider.cli import main; "
        f"sys.exit(main({world.arguments('copy')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not world.source.count("GET", "/blobs/"):
        assert time.monotonic() < end
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert time.monotonic() - began < 30
    assert "Traceback" not in err
    assert world.target.count("PUT", "/manifests/") == 0


def test_airflow_is_not_imported(world, tmp_path):
    """The command is the core alone, and loads no cloud's SDK that it does not need."""
    code = (
        "import sys; from kops_assets_provider.cli import main; "
        f"main({world.arguments('copy', '--quiet')!r}); "
        "sys.exit(bool({'airflow', 'boto3', 'botocore', 'google.auth'} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=tmp_path
    )
    assert run.returncode == 0, run.stderr


def test_a_list_does_not_say_where_the_record_is(world, capsys):
    """Its place is ignored with a warning, and what lies there stays as it is."""
    docker = world.folder / ".docker/config.json"
    docker.parent.mkdir()
    docker.write_text(world.config.read_text())
    listed = json.loads(world.list.read_text())
    listed |= {"cluster": "config", "record_url": str(docker.parent)}
    world.list.write_text(json.dumps(listed))
    assert world.run("copy") == 0
    assert "warning: the list has a record_url, which is ignored" in capsys.readouterr().err
    assert docker.read_text() == world.config.read_text()
    assert list(docker.parent.iterdir()) == [docker]
    assert (world.folder / "mirror/k/kops-assets/config.json").exists()


def test_a_record_replaces_nothing_that_is_not_ours(world, caplog):
    """Also where the user says so; the mirror counts, and a warning says why."""
    config = world.config.read_text()
    listed = json.loads(world.list.read_text()) | {"cluster": "config"}
    world.list.write_text(json.dumps(listed))
    assert world.run("copy", "--record-url", str(world.folder)) == 0
    assert world.config.read_text() == config
    assert f"{world.config} is not replaced" in caplog.text


def test_without_files_there_is_no_record(world):
    """Images alone say nothing of a place; an option does."""
    listed = json.loads(world.list.read_text())
    listed["files"][0]["download"] = listed["files"][0]["canonical"]
    world.list.write_text(json.dumps(listed))
    assert world.run("copy") == 0
    assert not (world.folder / "mirror").exists()
    world.run("copy", "--record-url", str(world.folder / "records"))
    assert (world.folder / "records/prod.example.com.json").exists()


def test_a_cluster_that_is_no_name_is_refused(world, capsys):
    """Nothing is copied for it."""
    listed = json.loads(world.list.read_text()) | {"cluster": "../../x"}
    world.list.write_text(json.dumps(listed))
    assert world.run("copy") == 1
    assert "its cluster is '../../x', expected a cluster's name" in capsys.readouterr().err
    assert world.target.requests == []


@pytest.mark.parametrize("command", ["check", "copy"])
def test_two_sources_for_one_place(world, capsys, command):
    """The error names both, and nothing is copied."""
    listed = json.loads(world.list.read_text())
    names = f"{world.target.host}/kops/one", f"{world.target.host}/kops/one:latest"
    for image, name in zip(listed["images"], names, strict=True):
        image["download"] = name
    world.list.write_text(json.dumps(listed))
    assert world.run(command) == 1
    err = capsys.readouterr().err
    assert all(x["canonical"] in err for x in listed["images"])
    assert world.target.requests == []
    assert not (world.folder / "mirror").exists()
