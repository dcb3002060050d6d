"""Medians, ratios and bounds of copies of images."""

from __future__ import annotations

import pytest

from benchmarks.images.engines import ENGINES
from benchmarks.images.measure import Bench
from benchmarks.images.runs import ImageRun, Traffic
from benchmarks.images.storage import ImageSet
from benchmarks.images.summary import bounds, head_round_trips, summary_document, summary_lines
from benchmarks.images.tables import TABLE
from benchmarks.measuring.client import Usage
from benchmarks.measuring.runs import Cost, DiscardRule


def runs_of(engine, *walls, delay=0.0, discarded=()):
    source, target = Traffic(10, 2_000_000, 0), Traffic(20, 0, 5)
    costs = [Cost(wall, 1.0, 0.5, 2.5, 0.1, 30_000_000) for wall in walls]
    return [
        ImageRun(engine, 1, cost, source, target, delay, discarded=cost.wall in discarded)
        for cost in costs
    ]


def test_medians_leave_out_what_was_discarded():
    """Of what is left it is the median, not the mean."""
    found = TABLE.medians(runs_of("crane", 1, 2, 9, 100, discarded=[100]))
    assert found["crane"]["runs"] == 3
    assert found["crane"]["wall s"] == 2
    assert found["crane"]["requests"] == 30
    assert found["crane"]["MB from source"] == pytest.approx(2.0)


def test_ratios():
    """Ours divided by the other's: for what is compared, and for nothing else."""
    found = TABLE.medians([*runs_of("kops-assets", 1, 2, 3), *runs_of("crane", 4, 4, 4)])
    assert set(TABLE.ratios(found)) == {"crane"}
    names = {"wall s", "client CPU s", "requests", "MB from source", "peak RSS MB"}
    assert set(TABLE.ratios(found)["crane"]) == names
    assert TABLE.ratios(found)["crane"]["wall s"] == pytest.approx(0.5)


def test_no_ratio_to_nothing():
    """Without changes nothing is read: no ratio of bytes then."""
    nothing = {"runs": 3, "wall s": 1, "client CPU s": 1, "requests": 1, "peak RSS MB": 1}
    same = {**nothing, "MB from source": 0}
    assert "MB from source" not in TABLE.ratios({"kops-assets": same, "oras": same})["oras"]


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ((1, 2), (1, 2, 3), "2 of kops-assets, 3 of crane"),
        ((1, 2, 3), (1, 2), "3 of kops-assets, 2 of crane"),
        ((), (1, 2, 3), "none of kops-assets, 3 of crane"),
        ((1, 2, 3), (), "3 of kops-assets, none of crane"),
    ],
)
def test_too_few_runs(ours, theirs, told):
    """With less than three runs of either there is no ratio, but a word about it."""
    found = TABLE.medians([*runs_of("kops-assets", *ours), *runs_of("crane", *theirs)])
    assert TABLE.ratios(found) == {}
    assert told in TABLE.ratio_lines(found, ["kops-assets", "crane"])[-1]


def test_lines_stand_below_their_headings():
    """A row has a figure below each heading."""
    (run,) = runs_of("skopeo-sync", 1.234)
    heading, line = TABLE.heading(), TABLE.row(run)
    assert len(heading) == len(line)
    assert line.split()[:4] == ["1", "skopeo-sync", "0.0", "1.23"]
    assert len(TABLE.median_lines(TABLE.medians([run]))[1]) == len(heading)


def test_discarded_run_is_marked():
    """It is printed all the same."""
    (run,) = runs_of("crane", 1, discarded=[1])
    assert TABLE.row(run).endswith("DISCARDED")


def test_no_run_was_kept():
    """Then there is no table."""
    assert TABLE.median_lines({}) == ["no run was kept"]


def test_bounds():
    """Four CPU seconds take two on two cores; Python's start and memory are not ours."""
    found = bounds(TABLE.medians(runs_of("kops-assets", 2.5)), Usage(0.1, 0.1, 10_000_000), cores=2)
    assert found["bound s"] == pytest.approx(2.0)
    assert found["share of bound"] == pytest.approx(0.8)
    assert found["MB above Python"] == pytest.approx(20)
    assert found["wall s without Python"] == pytest.approx(2.4)


@pytest.mark.parametrize(("connections", "trips"), [(1, 24), (4, 6), (5, 6), (12, 2), (99, 2)])
def test_head_round_trips(connections, trips):
    """Two HEADs for each of twelve images, one after the other."""
    assert head_round_trips(12, connections) == trips


def test_summary():
    """Runs with a delay are compared with each other alone, and measured in round trips."""
    names = [f"app{number}" for number in range(12)]
    images = ImageSet(digests=dict.fromkeys(names, "sha256:00"))
    bench = Bench(None, None, images, list(ENGINES[:2]), 1, 4, DiscardRule(cores=2))
    python = Usage(0.1, 0.1, 10_000_000)
    both = [
        run
        for delay, wall in ((0, 2.1), (0.015, 2.19))
        for engine in ("kops-assets", "skopeo-sync")
        for run in runs_of(engine, wall, wall, wall, delay=delay)
    ]
    direct, _, late = "\n".join(summary_lines(bench, both, python)).partition("15 ms each way")
    assert "would take 2.00 s, 95% of the wall time" in direct
    assert "skopeo-sync: wall s 1.000" in direct
    assert "round trips" not in direct
    assert "the delay costs 3.0 round trips of 30 ms; 24 HEADs, 16 at a time, take 2" in late
    assert list(summary_document(bench, both, python)) == ["0", "15"]
