"""The whole benchmark of files, small, with a real web server, S3 service and clients."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.files.engines import ENGINES, Job
from benchmarks.files.file_set import SourceFile, write_files
from benchmarks.files.measure import Bench, measure
from benchmarks.files.servers import BUCKET, file_server, fresh_target
from benchmarks.files.verify import check_objects
from benchmarks.measuring.client import BenchmarkError, Client, Usage, run_client
from benchmarks.measuring.runs import DiscardRule

pytestmark = pytest.mark.component

SCRIPT = [Path(__file__).parents[2] / "benchmarks/run", "files"]
TINY = ("--count", "3", "--size", "0.5", "--rounds", "1", "--repeats", "0")
SIZE = 512 * 1024
UPLOAD = next(x for x in ENGINES if x.name == "upload_fileobj")


@pytest.fixture
def benchmark(require, tmp_path):
    """Return a function that runs the benchmark, and returns its output and figures."""
    require("nginx")
    require("weed")

    def run(*arguments):
        file = tmp_path / "figures.json"
        engines = ["--engine", "kops-assets", "--engine", "upload_fileobj"]
        command = [*SCRIPT, *TINY, "--json", file, *engines, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(file.read_text())

    return run


def test_copies(benchmark):
    """Each file is fetched once by each, and what it took is known."""
    output, figures = benchmark()
    assert "3 files of 0.5 MiB, 3 at a time" in output
    assert "left out: rclone" in output
    assert "too few runs that were kept" in output
    assert [run["engine"] for run in figures["runs"]] == ["kops-assets", "upload_fileobj"]
    # Our plan asks for each file's length, to foresee what the copies send.
    assert [run["source_requests"] for run in figures["runs"]] == [3 + 3, 3]
    for run in figures["runs"]:
        assert run["source_bytes"] == 3 * SIZE
        assert run["target_requests"] is None
        assert run["cost"]["client_cpu"] > 0
        assert run["cost"]["peak_rss"] > run["interpreter_rss"] > 5_000_000


def test_no_change(benchmark):
    """With nothing to copy no file is fetched, and requests at the target are counted."""
    _, figures = benchmark("--no-change")
    for run in figures["runs"]:
        assert run["source_bytes"] == 0
        assert run["target_requests"] > 0
    # A look at each file, and at the hash beside it.
    assert figures["runs"][1]["target_requests"] == 2 * 3


@pytest.fixture
def bench(tmp_path):
    """Two small files at a source."""
    files = write_files(tmp_path / "source", 2, 100_000)
    with file_server(tmp_path / "source") as source:
        rule, python = DiscardRule(cores=2), Usage(0, 0, 0)
        yield Bench(tmp_path, source, files, [UPLOAD], 1, 3, rule, python)


def test_wrong_copy_is_an_error(bench):
    """An object that is missing, or has other bytes, or the wrong hash beside it, is told."""
    first, second = bench.files
    with fresh_target(bench.directory) as target, closing(target.component.client()) as s3:
        with pytest.raises(BenchmarkError, match=r"wrong after rclone: file01 is missing, not "):
            check_objects("rclone", [first], target, hashes=False)
        measure(bench, UPLOAD, 1, target)
        s3.put_object(Bucket=BUCKET, Key="file02", Body=b"wrong")
        s3.put_object(Bucket=BUCKET, Key="file01.sha256", Body=second.sha.encode())
        with pytest.raises(BenchmarkError, match=r"(?s)file01\.sha256 is .*file02 is 5 bytes"):
            check_objects("rclone", bench.files, target, hashes=True)
        check_objects("rclone", [first], target, hashes=False)


def test_wrong_copy_ends_a_run(bench, monkeypatch):
    """A client that ends well and has copied nothing gives no figures."""
    monkeypatch.setattr(type(UPLOAD), "client", lambda *_: Client([["true"]]))
    with (
        fresh_target(bench.directory) as target,
        pytest.raises(BenchmarkError, match="wrong after upload_fileobj: file01 is missing"),
    ):
        measure(bench, UPLOAD, 1, target)


def test_upload_fileobj_fails_on_a_wrong_hash(bench):
    """It is compared with one that does compare."""
    wrong = [SourceFile(file.name, file.size, "0" * 64) for file in bench.files]
    with fresh_target(bench.directory) as target:
        job = Job(bench.source.component.url, target, wrong, 3)
        with pytest.raises(BenchmarkError, match="ValueError"):
            run_client(UPLOAD.client(job, bench.directory), bench.directory)
