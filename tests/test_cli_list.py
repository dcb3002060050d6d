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
