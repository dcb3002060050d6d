"""kops-assets list, as a shell sees it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kops_assets_provider.cli import main

GOLDEN = Path(__file__).parent / "golden"
SPEC = GOLDEN / "1.36.2" / "specs" / "own-aws-registry.yaml"
EXPECTED = yaml.safe_load((GOLDEN / "1.36.2" / "assets" / SPEC.name).read_text())
OFFLINE = ["--kops-version", "1.36.2", "--no-fetch-hashes"]


def test_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    """The list in YAML is kOps', with null where a hash is not known."""
    assert main(["list", "--spec", str(SPEC), *OFFLINE, "--output", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == EXPECTED


def test_json_has_no_line_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The list in JSON ends without a newline, as kOps' does."""
    assert main(["list", "--spec", str(SPEC), *OFFLINE, "--output", "json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == EXPECTED
    assert out.endswith("}]}")


def test_table_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --output there are two tables, each after an empty line."""
    assert main(["list", "--spec", str(SPEC), *OFFLINE]) == 0
    assert capsys.readouterr().out.startswith("\nCANONICAL\t")


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash reads the manifest from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SPEC.read_bytes())))
    assert main(["list", "--spec", "-", *OFFLINE, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == EXPECTED


@pytest.mark.parametrize(
    ("replacement", "version", "message"),
    [
        (("", ""), "1.99.0", "there is no catalogue for kOps 1.99.0; known releases: "),
        (("v1.35.2", "1.22.0"), "1.36.2", "kOps 1.36.2 supports Kubernetes 1.31.0 to 1.36, not"),
        (("cloudProvider: aws", "cloudProvider: x"), "1.36.2", "spec.cloudProvider 'x' is not one"),
        (("kind: Cluster", "kind: ["), "1.36.2", "it is not YAML"),
    ],
)
def test_errors_are_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    replacement: tuple[str, str],
    version: str,
    message: str,
) -> None:
    """An error is one line on stderr, with status 1 and nothing on stdout."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.read_text().replace(*replacement))
    argv = ["list", "--spec", str(spec), "--kops-version", version, "--no-fetch-hashes"]
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file that is not there is an error like any other."""
    assert main(["list", "--spec", str(tmp_path / "no.yaml"), *OFFLINE]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "no.yaml" in err
    assert "No such file or directory" in err


def test_any_kubernetes_version(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The version gate can be lifted."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.read_text().replace("v1.35.2", "v1.37.0"))
    argv = ["list", "--spec", str(spec), *OFFLINE, "--any-kubernetes-version"]
    assert main(argv) == 0
    assert "registry.k8s.io/kube-proxy:v1.37.0" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [[], ["list"], ["list", "--output", "xml"], ["dance"]])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    """Wrong usage ends with status 2 and says how."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: kops-assets" in capsys.readouterr().err


def test_airflow_is_not_imported() -> None:
    """The command starts at once: neither Airflow nor a cloud's SDK is loaded."""
    code = (
        "import sys; from kops_assets_provider.cli import main; "
        f"main(['list', '--spec', {str(SPEC)!r}, *{OFFLINE!r}]); "
        "sys.exit(bool({'airflow', 'boto3', 'botocore'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr


def test_fetches_missing_hashes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --no-fetch-hashes the network is asked; where it fails, the command does."""
    # A proxy where nobody listens: no test may reach the internet.
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert main(["list", "--spec", str(SPEC), "--kops-version", "1.36.2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "artifacts.k8s.io: GET /binaries/kops/1.36.2/linux/amd64/nodeup.sha256 failed" in err


def no_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KOPS_STATE_STORE", "KOPS_CLUSTER_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The cluster in a state store: the place, and its name."""
    no_cloud(monkeypatch)
    for document in yaml.safe_load_all(SPEC.read_text()):
        name = document["metadata"]["name"]
        if document["kind"] == "Cluster":
            cluster = name
        path = "config" if document["kind"] == "Cluster" else f"instancegroup/{name}"
        file = tmp_path / cluster / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(document))
    return str(tmp_path), cluster


def test_a_state_store(
    capsys: pytest.CaptureFixture[str],
    state: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is named by options, by a relative path, or by kops' own variables."""
    place, name = state
    monkeypatch.chdir(place)
    argv = ["list", *OFFLINE, "-o", "json"]
    outputs = []
    for options in (["--state", place, "--name", name], ["--state", ".", "--name", name]):
        assert main([*argv, *options]) == 0
        outputs.append(capsys.readouterr().out)
    monkeypatch.setenv("KOPS_STATE_STORE", f"file://{place}")
    monkeypatch.setenv("KOPS_CLUSTER_NAME", name)
    assert main(argv) == 0
    outputs.append(capsys.readouterr().out)
    assert [json.loads(x) for x in outputs] == [EXPECTED] * 3


def test_what_is_said_goes_before_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever uses kops has its variables set; they do not get in the way of --spec."""
    monkeypatch.setenv("KOPS_STATE_STORE", "s3://nowhere")
    assert main(["list", "--spec", str(SPEC), *OFFLINE, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == EXPECTED


def test_a_missing_cluster(capsys: pytest.CaptureFixture[str], state: tuple[str, str]) -> None:
    """The error names those that there are."""
    assert main(["list", "--state", state[0], "--name", "x", *OFFLINE]) == 1
    assert f"has no cluster 'x': there is no x/config; it has {state[1]}" in capsys.readouterr().err


def test_without_a_note_the_release_must_be_said(
    capsys: pytest.CaptureFixture[str], state: tuple[str, str]
) -> None:
    """A cluster that was never updated, here with a configBase that lies elsewhere."""
    place, name = state
    config = Path(place) / name / "config"
    config.write_text(config.read_text().replace("memfs://", f"file://{place}/"))
    assert main(["list", "--state", place, "--name", name]) == 1
    assert "kops-version.txt: there is none" in capsys.readouterr().err


def test_a_saved_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is printed as any other."""
    saved = tmp_path / "list.yaml"
    saved.write_text(yaml.safe_dump(EXPECTED))
    argv = ["list", "--from", str(saved), "--no-fetch-hashes", "--output", "json"]
    assert main(argv) == 0
    assert json.loads(capsys.readouterr().out) == EXPECTED


def test_kops_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that replays kops' output is as good as our own rules."""
    no_cloud(monkeypatch)
    kops = tmp_path / "kops"
    kops.write_text(f"#!/bin/sh\n[ $1 = version ] && echo 1.99.0 || echo '{json.dumps(EXPECTED)}'")
    kops.chmod(0o755)
    argv = ["list", "--kops-command", str(kops), "--no-fetch-hashes", "--output", "json"]
    assert main([*argv, "--state", "s3://x", "--name", "a.example.com"]) == 0
    assert json.loads(capsys.readouterr().out) == EXPECTED


def test_extras(capsys: pytest.CaptureFixture[str]) -> None:
    """Each may be given more than once; a file's hash stands behind it, or nowhere."""
    urls = [f"https://x.example.com/a?b=c={'a' * 64}", "https://x.example.com/d?e=f"]
    extras = [x for url in urls for x in ("--extra-file", url)] + ["--extra-image", "busybox:1"]
    argv = ["list", "--spec", str(SPEC), *OFFLINE, "--extended", *extras, "--output", "json"]
    assert main(argv) == 0
    found = json.loads(capsys.readouterr().out)
    shas = {x["canonical"]: x["sha"] for x in found["files"]}
    assert shas["https://x.example.com/a"] == "a" * 64
    assert shas["https://x.example.com/d"] is None
    assert "busybox:1" in {x["canonical"] for x in found["images"]}


def test_warnings_and_sources_stay_out_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """They are on standard error, one in a line; standard output keeps kOps' form."""
    extras = ["--extra-image", "quay.io/a/b:latest", "--verbose"]
    assert main(["list", "--spec", str(SPEC), *OFFLINE, *extras, "-o", "yaml"]) == 0
    out, err = capsys.readouterr()
    assert set(yaml.safe_load(out)) == {"images", "files"}
    assert "warning: quay.io/a/b:latest has a tag that moves" in err
    assert ": kops 1.36.2\n" in err


def test_hosts(capsys: pytest.CaptureFixture[str]) -> None:
    """One in each line, for the owner of a firewall; those that it leads to behind it."""
    # No hash is fetched for it, which the first of these options would ask for.
    assert main(["list", "--spec", str(SPEC), "--kops-version", "1.36.2", "--hosts"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "dl.k8s.io" in lines
    assert "github.com *.githubusercontent.com" in lines


def test_the_plain_list_loads_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all hashes known nothing is loaded that could speak to anybody."""
    no_cloud(monkeypatch)
    heavy = {"airflow", "boto3", "google.auth", "urllib3", "tenacity", "requests", "ssl"}
    code = (
        "import sys; from kops_assets_provider.cli import main; "
        f"main(['list', '--spec', {str(SPEC)!r}, *{OFFLINE!r}]); "
        f"sys.exit(repr(sorted({heavy!r} & sys.modules.keys()) or ''))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "''"


def test_several_versions(capsys: pytest.CaptureFixture[str]) -> None:
    """Given twice, or with a comma: what any of them needs is in the list."""
    versions = ["--kubernetes-version", "1.35.2", "--kubernetes-version", "1.36.0"]
    assert main(["list", "--spec", str(SPEC), *OFFLINE, *versions, "-o", "json"]) == 0
    out = capsys.readouterr().out
    assert (
        main(["list", "--spec", str(SPEC), *OFFLINE, *versions[:1], "1.35.2,1.36.0", "-ojson"]) == 0
    )
    assert capsys.readouterr().out == out
    names = {x["canonical"] for x in json.loads(out)["images"]}
    assert {f"registry.k8s.io/kube-proxy:v{x}" for x in ("1.35.2", "1.36.0")} <= names


def run_in_shell(script: str) -> subprocess.CompletedProcess[str]:
    command = f"{sys.executable} -m kops_assets_provider.cli list"
    script = script.replace("LIST", f"{command} {' '.join(OFFLINE)}").replace("SPEC", str(SPEC))
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("LIST --spec - <&-", 1, "error: standard input: it is closed"),
        ("LIST --spec SPEC >&-", 1, "error: standard output"),
        ("LIST --spec SPEC --kubernetes-version ''", 1, "--kubernetes-version is empty"),
        ("LIST --from ''", 1, "--from is empty"),
        ("LIST --spec SPEC --extra-file https://x/y=abc", 1, "no SHA-256"),
        ("LIST --spec SPEC -o yaml | { exec <&-; sleep 2; }", 1, ""),
        ("LIST --spec SPEC -o yaml >/dev/full", 1, "error: standard output: No space left"),
        ("LIST --spec $'\\xff'", 1, "No such file"),
        ("LIST --spec SPEC --hosts --extra-file 'http://[x'", 1, "error: extra files"),
        ("AWS_ENDPOINT_URL_S3=s3.local LIST --state s3://state --name a.b", 1, "AWS_ENDPOINT_URL"),
        ("LIST --state s3://key:secret@state --name a.b", 1, "error: s3://state"),
    ],
)
def test_a_shell_sees_no_traceback(script: str, status: int, words: str) -> None:
    """Whatever a shell can do to a command, it is one line, or none, and no secret."""
    run = run_in_shell(script)
    assert run.returncode == status, run.stderr
    assert words in run.stderr
    assert run.stderr.count("\n") <= 1, run.stderr
    assert "secret" not in run.stderr
