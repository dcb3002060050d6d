"""The whole benchmark of images, small, with real registries and a real client."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from benchmarks.images.image_set import planned_images
from benchmarks.images.measure import check_digests
from benchmarks.images.servers import delayed, fresh_registry, registry
from benchmarks.images.storage import write_images
from benchmarks.measuring.client import BenchmarkError

pytestmark = pytest.mark.component

IMAGES = [Path(__file__).parents[2] / "benchmarks/run", "images"]
TINY = ("--scale", "0.0005", "--rounds", "1", "--repeats", "0")


@pytest.fixture
def benchmark(require, tmp_path):
    """Return a function that runs the benchmark with skopeo, and returns its output and figures."""
    require("docker-registry")
    require("skopeo")

    def run(*arguments):
        file = tmp_path / "figures.json"
        command = [*IMAGES, *TINY, "--json", file, "--engine", "skopeo-sync", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return done.stdout, json.loads(file.read_text())

    return run


def test_copies(benchmark):
    """Skopeo copies the set, with the requests that are known of it."""
    output, figures = benchmark("--engine", "skopeo-copy")
    assert "12 images, 114 different blobs" in output
    assert "too few runs that were kept" in output
    assert figures["images"]["references"] == 168
    assert [run["engine"] for run in figures["runs"]] == ["skopeo-sync", "skopeo-copy"]
    for run in figures["runs"]:
        # Every blob once, every manifest once, and a ping for each image.
        assert run["source"]["requests"] == 114 + 36 + 12
        assert run["source"]["blob_bytes"] == figures["images"]["unique bytes"]
        assert run["target"]["requests"] > 114 * 3
        assert run["target"]["manifest_puts"] == 36
        assert run["cost"]["peak_rss"] > 10_000_000
        assert run["cost"]["client_cpu"] > 0


def test_no_change(benchmark):
    """With nothing to copy no blob is read, and the delay costs what it must."""
    _, figures = benchmark("--no-change", "--delay-ms", "2")
    direct, late = figures["runs"]
    assert direct["source"]["blob_bytes"] == late["source"]["blob_bytes"] == 0
    assert 0 < direct["source"]["requests"] == late["source"]["requests"]
    assert late["delay"] == 0.002
    assert late["cost"]["wall"] > direct["cost"]["wall"] + 12 * 0.004


def test_wrong_result_is_an_error(tmp_path):
    """An image that is missing at the target is told."""
    images = write_images(tmp_path / "data", planned_images(0.0001)[:2])
    with registry(tmp_path) as full, fresh_registry(tmp_path) as empty:
        check_digests("crane", images.digests, full)
        with pytest.raises(BenchmarkError, match=r"wrong after crane: app01 is None, not sha256:"):
            check_digests("crane", images.digests, empty)


def test_delay(tmp_path):
    """A request takes one round trip more through the proxy, and is answered the same."""
    images = write_images(tmp_path / "data", planned_images(0.0001)[:1])
    with registry(tmp_path) as server, delayed((server,), 0.05) as (hosts, _):
        through = type(server)(_Elsewhere(hosts[0]), server.pid)
        start = time.monotonic()
        assert through.digest("app01") == images.digests["app01"]
        assert 0.1 <= time.monotonic() - start < 5


class _Elsewhere:
    def __init__(self, host):
        self.host = host
