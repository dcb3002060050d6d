"""The same targets, guided by coverage, for ``FUZZ_SECONDS`` each (20 if nothing is said)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parent.parent.parent
SECONDS = int(os.environ.get("FUZZ_SECONDS", "20"))


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.parametrize("target", TARGETS)
def test_nothing_but_our_errors_comes_out(target, tmp_path):
    """No crash, no input that takes ten seconds, no gigabyte of memory."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    options = [f"-max_total_time={SECONDS}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=16384"]
    command = [sys.executable, "-m", "tests.fuzz.run_atheris", target, str(corpus)]
    command += [*options, f"-artifact_prefix={tmp_path}/", "-print_final_stats=1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report = done.stdout + done.stderr
    print(report[-3000:])
    assert done.returncode == 0, report[-6000:]
    assert "stat::number_of_executed_units" in report
