"""Names and messages from outside are shown in one line, and no terminal or browser obeys them."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
import yaml

from kops_assets_provider.cli.progress import show_progress
from kops_assets_provider.exceptions import (
    InvalidInputError,
    KopsAssetsError,
    NotFoundError,
    Side,
    TransientError,
)
from kops_assets_provider.http.errors import status_error
from kops_assets_provider.logs import get_logger
from kops_assets_provider.mirror.lists.fleet_file import read_fleet_file
from kops_assets_provider.mirror.model.asset import Kind, Problem, ProblemKind, State
from kops_assets_provider.mirror.record.update import update_record
from kops_assets_provider.mirror.report.files import report_html, report_json
from kops_assets_provider.mirror.report.report import Report, RunFacts
from kops_assets_provider.redaction import clean, printable
from tests.outcomes import make_outcome

# A colour, a new line, a carriage return, C1's CSI, a direction, an isolate, line and paragraph
# separators, no width, a joiner, a filler, a tag, a variation, a byte order mark, a blank.
NASTY = [
    *("\x1b[31m", "\n", "\r", "\x9b2J", "\x85", "\u202e", "\u2066", "\u2028", "\u2029"),
    *("\u200b", "\u2060", "\u200d", "\ufeff", "\u034f", "\u3164", "\U000e0041", "\ufe0f", "\u2800"),
    *("\x00", "\x7f", "\xad", "\u061c", "\ufff9", "\ud800", "\ue000"),
]
ALL = "a" + "b".join(NASTY) + "c"


def is_clean(text, *, lines=False):
    """Tell whether nothing in a text is obeyed; of several lines each by itself."""
    texts = text.split("\n") if lines else [text]
    return all(x.isprintable() and printable(x) == x for line in texts for x in line.split("\t"))


@pytest.mark.parametrize("nasty", NASTY)
def test_printable(nasty):
    """Each of them becomes a blank, and all that people write stays."""
    assert printable(f"a{nasty[0]}b") == "a b"
    assert is_clean(clean(nasty))


@pytest.mark.parametrize(
    "text", ["registry.k8s.io/pause:3.10", "Größe: 5 €", "日本語", "a b", "🙂"]
)
def test_what_stays(text):
    """Other languages are no attack."""
    assert printable(text) == text == clean(text)


@pytest.mark.parametrize(
    "error",
    [
        KopsAssetsError(ALL),
        NotFoundError(ALL, side=Side.TARGET),
        TransientError(ALL, retry_after=1),
        InvalidInputError(ALL, [ALL, ALL]),
    ],
)
def test_errors(error):
    """Whatever their words are from, and each of the problems too."""
    assert is_clean(str(error))
    assert is_clean(Problem.of(error).message)
    assert all(map(is_clean, getattr(error, "problems", ())))


def test_a_server_s_words():
    """In OCI's form and in S3's."""
    oci = json.dumps({"errors": [{"code": ALL, "message": ALL}]}).encode()
    s3 = f"<Code>{ALL}</Code>".encode(errors="replace")
    for body in (oci, s3):
        error = status_error("GET", f"https://h/{ALL}", 403, headers={}, body=body)
        assert is_clean(str(error))


def test_logs(caplog):
    """Arguments stand in the line that they belong to; our own line ends stay."""
    log = get_logger("kops_assets_provider.test")
    with caplog.at_level(logging.DEBUG):
        log.info("%s: %d and %s", ALL, 1, ValueError(ALL))
        try:
            raise ValueError(ALL)
        except ValueError:
            log.exception("%s", "unexpected")
        log.lines(logging.INFO, "first", f"second{NASTY[0]}\nthird")
    first, failure, table = caplog.messages
    assert is_clean(first)
    assert "1 and" in first
    assert failure.startswith("unexpected\nTraceback")
    assert is_clean(failure, lines=True)
    assert "ValueError: a" in failure
    assert is_clean(table, lines=True)
    assert table.count("\n") == 2
    assert {x.funcName for x in caplog.records} == {"test_logs"}


SPEC = Path(__file__).parent.parent / "golden/1.36.2/specs/own-aws-files-only.yaml"
PROBLEM = Problem(kind=ProblemKind.NOT_FOUND, message=ALL, side=Side.SOURCE)
OUTCOME = make_outcome(Kind.IMAGE, ALL, ALL, State.FAILED, problem=PROBLEM)


def test_reports():
    """As a table, as JSON, as a page; of a record that somebody else has written."""
    report = Report(cluster=ALL, outcomes=(OUTCOME,))
    facts = RunFacts(run=ALL, kops_version=ALL)
    assert is_clean(report.to_table(), lines=True)
    assert report.to_table().count("\n") == 1
    page = report_html(report, facts)
    assert is_clean(page, lines=True)
    assert report_json(report, facts).isascii()
    record = update_record(None, report, ALL, ALL).to_json()
    assert record.isascii()


def test_progress(capsys):
    """On a terminal and elsewhere."""
    with show_progress(sys.stderr) as progress:
        progress.on_outcome(OUTCOME)
    shown = capsys.readouterr().err
    assert is_clean(shown, lines=True)
    assert shown.count("\n") == 1


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("kind", ["images", "files"])
def test_a_saved_list(command, tmp_path, nasty, kind):
    """It is refused, and the error says which name, not what it is."""
    name = f"https://h/{nasty}x" if kind == "files" else f"h/{nasty}x:1"
    path = tmp_path / "list.json"
    path.write_text(json.dumps({kind: [{"canonical": name, "download": name}]}))
    outputs, status = command("list", "--from", path)
    assert status == 1
    assert f"{kind}[0].canonical is not a name or URL" in outputs.texts["stderr"]
    assert all(is_clean(x, lines=True) for x in outputs.texts.values())


@pytest.mark.parametrize("output", ["table", "yaml", "json"])
@pytest.mark.parametrize("nasty", NASTY[:-2])
def test_a_spec(command, tmp_path, nasty, output):
    """An image's name in a cluster spec is from outside, too."""
    documents = list(yaml.safe_load_all(SPEC.read_text()))
    documents[0]["spec"]["clusterAutoscaler"] = {"enabled": True, "image": f"h/a{nasty}b:1"}
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    arguments = ("list", "--spec", path, "--kops-version", "1.36.2", "--no-fetch-hashes")
    outputs, status = command(*arguments, "--output", output)
    assert status == 1
    assert "is not a name or URL" in outputs.texts["stderr"]
    assert all(is_clean(x, lines=True) for x in outputs.texts.values())


def test_a_saved_list_s_other_words(command, tmp_path):
    """Its warnings, and its release, which is refused."""
    path = tmp_path / "list.json"
    images = [{"canonical": "h/a:1", "download": "h/a:1"}]
    warnings = [{"code": ALL, "message": ALL}]
    for version, expected, words in (
        ("1.36.2", 0, "warning: a"),
        (f"1{ALL}", 1, "its kops_version is not printable text"),
    ):
        values = {"images": images, "kops_version": version, "warnings": warnings}
        path.write_text(json.dumps(values))
        outputs, status = command("list", "--from", path)
        assert status == expected
        assert words in outputs.texts["stderr"]
        assert all(is_clean(x, lines=True) for x in outputs.texts.values())


@pytest.mark.parametrize("nasty", NASTY[:-2])
def test_options(command, nasty):
    """Also those that the user has pasted."""
    for arguments in (
        ("list", "--spec", f"x{nasty}y", "--kops-version", "1.36.2"),
        ("list", f"--{nasty}"),
        ("list", "--output", f"x{nasty}y"),
        ("check", "--from", f"/x{nasty}y.json"),
    ):
        outputs, status = command(*arguments)
        assert status
        assert all(is_clean(x, lines=True) for x in outputs.texts.values())


@pytest.mark.parametrize("nasty", NASTY[:-2])
def test_a_fleet(tmp_path, nasty):
    """Names of groups, clusters and options."""
    path = tmp_path / "fleet.yaml"
    groups = {f"g{nasty}": {"clusters": [f"c{nasty}"], nasty: 1}}
    path.write_text(yaml.safe_dump({"groups": groups}))
    with pytest.raises(InvalidInputError) as caught:
        read_fleet_file(path, (), ())
    assert is_clean(str(caught.value))
