"""What the programs that copy images are told, and which of them take part in which order."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from benchmarks.images.engines import ENGINES, Engine, Job, another_build
from benchmarks.measuring.engines import OURS, chosen_engines, rotated, turns
from tests.support.processes import MissingComponentError

JOB = Job("127.0.0.1:1", "127.0.0.1:2", ("app01", "app02"), 7)


def commands_of(name, directory):
    """Return the arguments that an engine gets, whether it is installed or not."""
    (engine,) = [x for x in ENGINES if x.name == name]
    told = Engine(name, (sys.executable, *engine.command[1:]))
    return [command[1:] for command in told.commands(JOB, directory)]


def test_ours_gets_a_list(tmp_path):
    """One process, with all images in a saved list."""
    listed = tmp_path / "list.json"
    wanted = ["copy", "--from", str(listed), "--jobs", "7", "--output", "json"]
    assert commands_of(OURS, tmp_path) == [wanted]
    assert json.loads(listed.read_text())["images"] == [
        {"canonical": "127.0.0.1:1/app01:v1", "download": "127.0.0.1:2/app01:v1"},
        {"canonical": "127.0.0.1:1/app02:v1", "download": "127.0.0.1:2/app02:v1"},
    ]


def test_skopeo_sync_gets_a_list(tmp_path):
    """One process, with all images in skopeo's own form of a list."""
    listed = tmp_path / "skopeo.yaml"
    (command,) = commands_of("skopeo-sync", tmp_path)
    assert command[-2:] == [str(listed), "127.0.0.1:2"]
    images = {"app01": ["v1"], "app02": ["v1"]}
    assert yaml.safe_load(listed.read_text()) == {
        "127.0.0.1:1": {"tls-verify": False, "images": images}
    }


@pytest.mark.parametrize("name", ["crane", "oras", "regctl"])
def test_others_get_an_image_each(name, tmp_path):
    """A process for each image, from and to the same name."""
    commands = commands_of(name, tmp_path)
    assert [command[-2:] for command in commands] == [
        ["127.0.0.1:1/app01:v1", "127.0.0.1:2/app01:v1"],
        ["127.0.0.1:1/app02:v1", "127.0.0.1:2/app02:v1"],
    ]


def test_each_engine_is_first_in_turn():
    """No engine always follows the same one's mess, or always comes first."""
    engines = list(ENGINES[:3])
    first = [rotated(engines, number)[0].name for number in range(4)]
    assert first == [OURS, "skopeo-sync", "skopeo-copy", OURS]
    assert all(sorted(x.name for x in rotated(engines, 2)) == sorted(first[:3]) for _ in first)


def test_turns():
    """Every engine has one in each round, and rounds are counted from 1."""
    found = [(number, engine.name) for number, engine in turns(ENGINES[:2], 2)]
    assert found == [(1, OURS), (1, "skopeo-sync"), (2, "skopeo-sync"), (2, OURS)]


def test_missing_engine():
    """It is left out; if it was asked for by its name, or nothing is left, it is an error."""
    gone, python = Engine("gone", ("no-such-program",)), Engine("python", (sys.executable,))
    assert chosen_engines([gone, python], []) == [python]
    with pytest.raises(MissingComponentError, match="gone"):
        chosen_engines([gone, python], ["gone"])
    with pytest.raises(FileNotFoundError, match="none of the engines"):
        chosen_engines([gone], [])


def test_another_build_gets_the_same_arguments(tmp_path):
    """So that a change can be compared with the commit before it, in one run."""
    (ours,) = [x for x in ENGINES if x.name == OURS]
    other = another_build(tmp_path / "kops-assets")
    assert other.command == (str(tmp_path / "kops-assets"), *ours.command[1:])
    assert other.name != ours.name
