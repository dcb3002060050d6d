"""The README's first command, as a user runs it."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.waits import wait_for

ROOT = Path(__file__).parent.parent.parent
LISTEN = "0A"  # the state in /proc/net/tcp

pytestmark = [pytest.mark.component, pytest.mark.airflow, pytest.mark.timeout(900)]


def demo(directory, *arguments):
    command = [sys.executable, ROOT / "scripts" / "demo.py", "--directory", directory, *arguments]
    # A shell that runs its jobs in the background has them ignore Ctrl-C, tests and all.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    finally:
        signal.signal(signal.SIGINT, before)


def listening_beyond_loopback():
    """Return the local addresses that something listens on for others, in /proc's hex."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    loopback = ("0100007F", "00000000000000000000000001000000")
    return {x[1] for x in lines if x[3] == LISTEN and not x[1].startswith(loopback)}


def processes_of(directory):
    """Return the command lines of processes that have the directory there or in an environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            command, environment = ((process / x).read_bytes() for x in ("cmdline", "environ"))
            if os.fsencode(directory) in command + environment:
                found.append(os.fsdecode(command))
    return found


def watched(process, seen):
    """Collect what others could connect to while the process runs."""
    while process.poll() is None:
        seen |= listening_beyond_loopback()
        time.sleep(0.5)


def test_the_demo_mirrors_and_then_has_nothing_to_do(tmp_path):
    """It ends well twice, listens on loopback alone, and leaves no process behind."""
    before, seen = listening_beyond_loopback(), set()
    outputs = []
    for _ in range(2):
        process = demo(tmp_path / "demo")
        watcher = threading.Thread(target=watched, args=(process, seen))
        watcher.start()
        outputs.append(process.communicate(timeout=600)[0])
        watcher.join()
        assert process.returncode == 0, outputs[-1]
    assert "copied 37 images and 14 files" in outputs[0]
    assert "copied nothing: everything was there already" in outputs[1]
    for output in outputs:
        assert "all 51 assets are in the mirror" in output
    assert seen <= before
    assert processes_of(tmp_path) == []


def test_ctrl_c_stops_everything(tmp_path):
    """Also while Airflow starts; the message says so, and nothing is left."""
    process = demo(tmp_path / "demo", "--ui")
    for line in process.stdout:
        if "starting Airflow" in line:
            break
    wait_for(lambda: any("scheduler" in x for x in processes_of(tmp_path)))
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 130, output
    assert "nothing runs any more" in output
    assert processes_of(tmp_path) == []
