"""The benchmark of fleets: small, with real servers and a real client, and its parts."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.fleets.lists import ALL_FILES, ALL_IMAGES, DOWNLOADS, make_fleet, write_lists
from benchmarks.fleets.measure import list_times, planning_client
from benchmarks.fleets.runs import FLEET, ONE_BY_ONE, FleetRun
from benchmarks.fleets.tables import TABLE, aim_lines, operator_medians, ratio_line, summary_lines
from benchmarks.measuring.client import BenchmarkError, run_client
from benchmarks.measuring.runs import Cost

SCRIPT = [Path(__file__).parents[2] / "benchmarks/run", "fleets"]
TINY = ("--clusters", "3", "--rounds", "1", "--repeats", "0")
OPERATORS = {"get_assets", "plan_images", "plan_files"}


@pytest.mark.long
@pytest.mark.component
def test_a_small_fleet(require, tmp_path):
    """Each image is asked for twice and each file once, in the list of a cluster or of all."""
    require("docker-registry")
    require("weed")
    file = tmp_path / "figures.json"
    command = [*SCRIPT, *TINY, "--json", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "3 clusters with 150 assets in all" in done.stdout
    assert "too few runs that were kept" in done.stdout
    figures = json.loads(file.read_text())
    assert figures["lists"]["all"] > figures["lists"]["first"] > 0
    fleet, alone = figures["runs"]
    assert (fleet["engine"], alone["engine"]) == (FLEET, ONE_BY_ONE)
    images, files = figures["images"], figures["files"]
    assert images < 3 * 37
    assert [fleet[x] for x in ("at_source", "at_target", "at_store")] == [images, images, files + 1]
    assert [alone[x] for x in ("at_source", "at_target", "at_store")] == [111, 111, 3 * (13 + 1)]
    for run in (fleet, alone):
        assert run["cost"]["peak_rss"] > 50_000_000
        assert set(run["seconds"]) == OPERATORS


def test_a_fleet():
    """The same one each time; of 200 clusters every asset is in some, and in no cluster twice."""
    fleet = make_fleet(200)
    assert fleet == make_fleet(200)
    assert (fleet.images, fleet.files) == (ALL_IMAGES, ALL_FILES)
    assert (fleet.assets, fleet.references) == (500, 10_000)
    assert all(len(set(x.images)) == 37 and len(set(x.files)) == 13 for x in fleet.clusters)


def test_a_client_that_would_copy_fails(tmp_path):
    """What is missing is told, and there is no result."""
    lists = write_lists(make_fleet(1), "127.0.0.1:9", "127.0.0.1:9", tmp_path / "lists")
    path = Path(*lists.values())
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "images": [], "files": values["files"][:1]}))
    planning = planning_client(FLEET, lists, tmp_path, {})
    job = {"lists": lists, "file_targets": {DOWNLOADS: str(tmp_path / "empty")}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    with pytest.raises(BenchmarkError, match="1 are to be copied, such as https://source"):
        run_client(planning, tmp_path)
    assert not (tmp_path / "result.json").exists()


def test_lists_from_manifests(tmp_path):
    """The first one has in it what is read once."""
    times = list_times(tmp_path, 3)
    assert times.clusters == 3
    assert times.all > times.first > 0


def run_of(way, number, wall=4.0, rss=160, requests=871):
    """Return a run of which most is made up."""
    cost = Cost(wall, 3.0, 0.5, 0.5, 0.1, rss * 1_000_000)
    seconds = dict.fromkeys(sorted(OPERATORS), wall / 4)
    return FleetRun(way, number, cost, 500, 370, 370, requests - 740, seconds, 1000)


def test_ratios_and_aims():
    """Ratios are of medians; the aims are the fleet's."""
    runs = [run_of(FLEET, x, wall) for x, wall in enumerate((4.0, 5.0, 3.0))]
    runs += [run_of(ONE_BY_ONE, x, 80.0, 200, 17_420) for x in range(3)]
    lines = list(summary_lines(runs))
    (told,) = [x for x in lines if x.startswith("fleet / one by one")]
    assert told.endswith("wall s 0.050  client CPU s 1.000  requests 0.050  peak RSS MB 0.800")
    assert lines[-3:] == [
        "aim: fleet's wall s at most 60: 4.00, reached",
        "aim: fleet's peak RSS MB at most 512: 160.00, reached",
        "aim: fleet's per asset at most 2: 1.74, reached",
    ]
    assert operator_medians(runs)[FLEET] == dict.fromkeys(OPERATORS, 1.0)


def test_missed_aims_and_too_few_runs():
    """Without a run of the fleet the aims stand alone, without three of both is no ratio."""
    missed = TABLE.medians([run_of(FLEET, 1, 60.5, 513, 1001)])
    assert [x.rpartition(" ")[2] for x in aim_lines(missed)] == ["missed"] * 3
    assert ratio_line(missed).endswith("too few runs that were kept")
    assert [x.rpartition(" ")[2] for x in aim_lines({})] == ["60", "512", "2"]


def test_columns():
    """A row has a figure below each heading."""
    row = TABLE.row(run_of(FLEET, 1))
    assert len(TABLE.heading()) == len(row)
    assert "1.74" in row.split()
