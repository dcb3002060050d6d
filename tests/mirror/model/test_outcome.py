"""The values that the mirror speaks about, and how they cross XCom: each is read as it was left."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kops_assets_provider import exceptions
from kops_assets_provider.exceptions import (
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    PermanentError,
    Side,
)
from kops_assets_provider.mirror.lists.fleet import FleetList, read_listed
from kops_assets_provider.mirror.model.asset import (
    Change,
    Download,
    Kind,
    Name,
    Problem,
    ProblemKind,
    State,
    now,
)
from kops_assets_provider.mirror.model.outcome import Cost, Estimate, Facts, Outcome
from kops_assets_provider.mirror.plan.image_policy import ImageRules
from kops_assets_provider.mirror.record.reader import parse_record
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.report import Report
from tests.outcomes import GONE, make_outcome, with_values

# States that raise no error, and an error that is not ours.
OTHERS = {"UnexpectedError", "WrongFile", "WrongImage", "NotWarm", "NotReadable", "NoPlan"}
OTHERS |= {"NoResult"}

_WORDS = st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=20)
_SIZE = st.integers(0, 1 << 46)
_TIME = st.datetimes(datetime(2000, 1, 1), timezones=st.just(UTC)).map(datetime.isoformat)
_PROBLEM = st.builds(
    Problem,
    kind=st.sampled_from(ProblemKind),
    message=st.text(st.characters(codec="ascii", exclude_categories=["C"])),
    side=st.none() | st.sampled_from(Side),
)
_OUTCOME = st.builds(
    Outcome,
    asset=st.builds(Name, kind=st.sampled_from(Kind), canonical=_WORDS, download=_WORDS),
    state=st.sampled_from(State),
    change=st.none() | st.sampled_from(Change),
    facts=st.builds(
        Facts,
        content=st.none() | _WORDS,
        source=st.none() | _WORDS,
        size=st.none() | _SIZE,
        verified_at=st.none() | _TIME,
        drift=st.none() | _WORDS,
        blobs=st.lists(st.from_regex("[0-9a-f]{1,64}", fullmatch=True), max_size=3).map(tuple),
        warmed=st.none() | st.lists(_WORDS, max_size=3).map(tuple),
        version=st.none() | _WORDS,
        sidecar_version=st.none() | _WORDS,
        download_state=st.none() | st.sampled_from(Download),
    ),
    cost=st.builds(
        Cost,
        sent=_SIZE,
        mounted=_SIZE,
        mounts=_SIZE,
        late=_SIZE,
        requests=st.none() | _SIZE,
        retries=_SIZE,
        seconds=st.none() | st.floats(0, 1e9),
    ),
    estimate=st.builds(
        Estimate,
        expected_bytes=st.none() | _SIZE,
        expected_requests=st.none() | _SIZE,
        saved=_SIZE,
    ),
    problem=st.none() | _PROBLEM,
    log=st.none() | st.just("dags/d/runs/r/tasks/copy_image/mapped/3"),
)


def test_every_error_of_ours_is_one_kind_of_problem():
    """By its name; a new class needs a new kind, and a kind whose class is gone goes too."""
    classes = [x for _, x in inspect.getmembers(exceptions, inspect.isclass)]
    names = [x.__name__ for x in classes if issubclass(x, KopsAssetsError)]
    kinds = sorted([*names, *OTHERS])
    kinds.remove(KopsAssetsError.__name__)  # the base is never raised
    assert sorted(ProblemKind) == kinds


def test_an_error_of_ours_is_published_in_its_own_words():
    """With its kind and its side."""
    found = Problem.of(NotFoundError("h: gone", side=Side.SOURCE))
    assert found.kind is ProblemKind.NOT_FOUND
    assert found.to_dict() == {
        "type": "NotFoundError",
        "message": "source h: gone",
        "side": "source",
    }


def test_an_error_without_a_kind_is_what_its_base_is():
    """A class of somebody else's, made from one of ours: its words are cleaned as ours are."""

    class OwnError(PermanentError):
        """Not in our list."""

    assert Problem.of(OwnError("no")) == Problem(kind=ProblemKind.PERMANENT, message="no")
    assert Problem.of(KopsAssetsError("no")).to_dict()["message"] == "no"


@pytest.mark.parametrize(
    "error", [KeyError("hunter2"), OSError(5, "hunter2"), SystemExit("hunter2")]
)
def test_an_error_that_is_not_ours_publishes_its_type_alone(error):
    """Its message may hold anything, a secret too."""
    name = type(error).__name__
    assert Problem.of(error).to_dict() == {
        "type": "UnexpectedError",
        "message": f"unexpected {name}; the log has it",
        "side": None,
    }


@given(_OUTCOME)
def test_an_outcome_is_read_as_it_was_written(outcome):
    """Through JSON, which has one level, no tuple, and a number for its schema."""
    values = json.loads(json.dumps(outcome.to_dict()))
    assert values == outcome.to_dict()
    assert values["schema"] == 1
    assert Outcome.from_dict(values) == outcome


def test_an_image_that_was_warmed_whole_stays_so():
    """All platforms are an empty list; without it the next night would read all of it again."""
    outcome = make_outcome(Kind.IMAGE, "a", "b", State.WARMED, source="d", warmed=())
    assert outcome.to_dict()["warmed"] == []
    read = with_values(Outcome.from_dict(outcome.to_dict()), verified_at=now())
    record = update_record(None, Report(cluster="c", outcomes=(read,)), "1.36.2", "run")
    (asset,) = parse_record(record.to_json(), "x").assets
    assert ImageRules(warm=("b",)).is_warm(asset, "d")


def test_no_two_parts_have_a_name_in_common():
    """Or one would hide the other's value in the one level that they are written to."""
    parts = (Name._fields, *([x.name for x in fields(y)] for y in (Facts, Cost, Estimate)))
    own = ("schema", "state", "change", "error", "log")
    names = [*own, *(name for part in parts for name in part)]
    assert len(set(names)) == len(names)


def test_what_has_no_meaning_is_not_written():
    """A run has thousands of outcomes; zeros of what was asked for stay."""
    bare = {"kind": "image", "canonical": "a", "download": "b", "state": "failed"}
    assert make_outcome(*list(bare.values())[:3], State.FAILED).to_dict() == {
        "schema": 1,
        **bare,
        "sent": 0,
    }
    full = make_outcome(
        Kind.FILE, "a", "b", State.PRESENT, size=0, requests=0, seconds=0.0, problem=GONE
    )
    assert full.to_dict() == {
        "schema": 1,
        "kind": "file",
        "canonical": "a",
        "download": "b",
        "state": "present",
        "size": 0,
        "sent": 0,
        "requests": 0,
        "seconds": 0.0,
        "error": {"type": "NotFoundError", "message": "gone", "side": None},
    }


@pytest.mark.parametrize("schema", [2, 1 << 62])
def test_what_a_newer_release_left_is_refused(schema):
    """It may mean something else by the same keys."""
    outcome = make_outcome(Kind.IMAGE, "a", "b", State.COPIED).to_dict()
    words = f"schema: it is {schema}, and this release reads up to 1: run the same version of this"
    with pytest.raises(InvalidInputError, match=f"^outcome: {words} package everywhere$"):
        Outcome.from_dict({**outcome, "schema": schema})
    fleet = FleetList(group="g", lists=(), failures={"c.example.com": GONE}).to_dict()
    with pytest.raises(InvalidInputError, match=f"^XCom: {words} package everywhere$"):
        read_listed({**fleet, "schema": schema}, "XCom")


@pytest.mark.parametrize("schema", [0, -1, "1", 1.0, True, None, 1 << 80, [1]])
def test_a_schema_is_a_number_of_ours(schema):
    """Whatever else stands there was not written by us."""
    outcome = make_outcome(Kind.IMAGE, "a", "b", State.COPIED).to_dict()
    with pytest.raises(InvalidInputError, match=r"^outcome: schema: expected"):
        Outcome.from_dict({**outcome, "schema": schema})


def test_the_failures_of_a_group_keep_their_kind_and_side():
    """Each is a problem before and after it crosses XCom; what is none is refused."""
    why = Problem(kind=ProblemKind.ACCESS_DENIED, message="no", side=Side.SOURCE)
    fleet = FleetList(group="g", lists=(), failures={"c.example.com": why})
    values = json.loads(json.dumps(fleet.to_dict()))
    assert read_listed(values, "XCom") == fleet
    for wrong in ("no", {"message": "no"}, {**why.to_dict(), "type": "Nothing"}):
        with pytest.raises(InvalidInputError, match="not the list of a group"):
            read_listed({**values, "failures": {"c.example.com": wrong}}, "XCom")
