"""The report as a page and as JSON: whole, readable, and nothing in it comes alive."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from kops_assets_provider import __version__, exceptions
from kops_assets_provider.exceptions import AccessDeniedError, InvalidInputError, Side
from kops_assets_provider.files.directory import DirectoryStore
from kops_assets_provider.files.targets import Scheme
from kops_assets_provider.mirror.model.asset import (
    Change,
    Download,
    Kind,
    Name,
    Problem,
    ProblemKind,
    State,
    problem,
)
from kops_assets_provider.mirror.model.json_reader import WrongValue
from kops_assets_provider.mirror.model.outcome import failed
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.report.advice import _ADVICE, advice, reason
from kops_assets_provider.mirror.report.files import report_html, report_json, write_report
from kops_assets_provider.mirror.report.report import Report, RunFacts
from tests.outcomes import make_outcome, with_values

DIGEST = "sha256:" + "a1" * 32
IMAGE = make_outcome(
    Kind.IMAGE,
    "registry.k8s.io/pause:3.10",
    "h/pause:3.10",
    State.COPIED,
    content=DIGEST,
    size=5_000_000,
    sent=4_000_000,
    verified_at="2026-11-01T00:00:00+00:00",
    requests=12,
    retries=1,
    seconds=3.25,
)
FILE = make_outcome(
    Kind.FILE,
    "https://dl.k8s.io/kubelet",
    "https://files/kubelet",
    State.PRESENT,
    content="b2" * 32,
    size=100,
    requests=1,
)
GONE = Problem(kind=ProblemKind.NOT_FOUND, message="source quay.io: no such tag", side=Side.SOURCE)
FAILED = failed(Name(kind=Kind.IMAGE, canonical="quay.io/a:1", download="h/a:1"), GONE)
FACTS = RunFacts(
    run="nightly", kops_version="1.36.2", when="2026-11-02T01:02:03+00:00", seconds=754.2
)

NASTY = [
    "<script>alert(1)</script>",
    "</title></style><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)' x=\"",
    "&lt;b&gt; &amp;",
    "\x1b[31mred\x1b]8;;http://evil.test\x07link",
    "a\r\nSet-Cookie: x\r\n\r\nb",
    "abc\u202etxt.exe\u2066\u200f",
    "$cluster ${rows} $$ %s {0}",
    "-->]]><!--",
    "nul\x00 lone \ud800 line\u2028end",
]
VOID = {"meta", "link", "br", "img", "input"}
ALLOWED_TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main h1 h2 div strong span p section ul li b dl dt dd "
        "table caption thead tbody tr th td code small",
    )
)


class Page(HTMLParser):
    """A page in parts; it fails if a tag is not closed by its own."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], set(), [], {}
        self.rows = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, *x) for x in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        tag = self.open[-1] if self.open else ""
        self.texts[tag] = self.texts.get(tag, "") + data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(x for tag, x in self.texts.items() if tag != "style")

    @property
    def assets(self):
        """The rows of the large table, by their headers."""
        header = next(x for x in self.rows if len(x) == 12)
        return [dict(zip(header, x, strict=True)) for x in self.rows if len(x) == 12][1:]


def page(*outcomes, cluster="c.example.com", facts=FACTS):
    return Page(report_html(Report(cluster=cluster, outcomes=outcomes), facts))


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_from_outside_comes_alive(nasty):
    """Wherever a stranger's words stand, they are text: no tag, no attribute, no line, no turn."""
    bad = with_values(
        FAILED,
        canonical=nasty,
        download=nasty,
        problem=replace(GONE, message=nasty),
        content=nasty,
        verified_at=nasty,
    )
    moved = with_values(IMAGE, canonical=nasty, drift=nasty)
    text = report_html(
        Report(cluster=nasty, outcomes=(bad, moved)),
        RunFacts(run=nasty, kops_version=nasty, when=nasty),
    )
    found, plain = Page(text), page(FAILED, IMAGE)
    assert found.tags <= ALLOWED_TAGS
    assert {x[:2] for x in found.attributes} <= {x[:2] for x in plain.attributes} | {
        ("code", "title")
    }
    assert all(x.isprintable() for x in text.split("\n"))
    shown = "".join(x if x.isprintable() else " " for x in nasty)
    assert shown in found.texts["title"]
    assert [x["Canonical"] for x in found.assets] == [shown, shown]
    assert ("code", "title", shown) in found.attributes
    text.encode()


@pytest.mark.parametrize("nasty", NASTY)
def test_json_holds_the_same_words_harmless(nasty):
    """A program reads what was said; a terminal that shows the file is told nothing."""
    outcome = with_values(FAILED, canonical=nasty, problem=replace(GONE, message=nasty))
    text = report_json(Report(cluster=nasty, outcomes=(outcome,)), FACTS)
    assert all(x.isprintable() for x in text.split("\n"))
    assert json.loads(text)["assets"][0]["error"]["message"] == nasty


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("key", ["type", "side"])
def test_a_problem_has_a_kind_and_a_side_that_we_know(key, nasty):
    """They come out of XCom, and stand in the report as they are."""
    with pytest.raises(WrongValue, match=f"^{key}: expected one of"):
        problem({**GONE.to_dict(), key: nasty})


def test_the_page_needs_nothing_and_may_do_nothing():
    """No script, no resource, no link; the policy comes before all that it is to hold for."""
    text = report_html(Report(cluster="c", outcomes=(FAILED, IMAGE, FILE)), FACTS)
    found = Page(text)
    assert found.tags <= ALLOWED_TAGS
    assert not {x[1] for x in found.attributes} & {"src", "href", "style"}
    assert not [x for x in ("url(", "@import") if x in found.texts["style"]]
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    assert ("meta", "content", policy) in found.attributes
    assert text.index(policy) < text.index("<style>")


def test_the_page_can_be_read_by_everybody():
    """A language, a title, a name for each table, and headers that say what they head."""
    text = report_html(Report(cluster="c.example.com", outcomes=(FAILED, IMAGE)), FACTS)
    found = Page(text)
    assert ("html", "lang", "en") in found.attributes
    assert found.texts["title"] == "The mirror is not ready: c.example.com"
    assert text.count("<caption>") == text.count("<table ")
    assert text.count("<th ") == text.count('<th scope="')
    assert "prefers-color-scheme: dark" in found.texts["style"]
    assert ("meta", "content", "width=device-width, initial-scale=1") in found.attributes


def test_what_is_wrong_comes_first():
    """With its reason and what to do, before the counts, and first in the table."""
    text = report_html(Report(cluster="c", outcomes=(IMAGE, FILE, FAILED)), FACTS)
    found = Page(text)
    assert "1 of 3 assets" in found.text
    assert text.index("no such tag") < text.index("The run")
    assert "whether the source still has it" in found.text
    assert [x["State"] for x in found.assets] == ["failed", "copied", "present"]
    assert found.assets[0]["Reason"] == "NotFoundError: source quay.io: no such tag"


def test_a_ready_mirror():
    """It says so, and lists nothing as wrong."""
    other = make_outcome(Kind.IMAGE, "quay.io/b:1", "quay.io/b:1", State.NOT_MIRRORED)
    found = page(IMAGE, FILE, other)
    assert "The mirror is ready" in found.texts["title"]
    assert "All 2 assets are there. Nodes download 1 more" in found.text
    assert "What is wrong" not in found.text


def test_a_row_tells_all_of_an_asset():
    """Sizes for people and to the byte; the digest shortened, and whole in its title."""
    found = page(IMAGE, FILE)
    assert found.assets[0] == {
        "State": "copied",
        "Kind": "image",
        "Canonical": "registry.k8s.io/pause:3.10",
        "Download": "h/pause:3.10",
        "Digest or sha": "a1a1a1a1a1a1…",
        "Size": "4.8 MiB 5,000,000",
        "Sent": "3.8 MiB 4,000,000",
        "Requests": "12",
        "Retries": "1",
        "Seconds": "3.2",
        "Verified at": "2026-11-01 00:00:00 UTC",
        "Reason": "",
    }
    assert ("code", "title", DIGEST) in found.attributes
    assert ["copied", "1", "0"] in found.rows
    assert ["present", "0", "1"] in found.rows


def test_the_run_is_told():
    """What it cost, which it was, and what it was for."""
    text = page(IMAGE, with_values(FILE, late=5)).text
    for words in ("3.8 MiB", "5 B", "12 min 34 s", "2026-11-02 01:02:03 UTC", "nightly", "1.36.2"):
        assert words in text
    unknown = page(FAILED, facts=replace(FACTS, seconds=None)).text
    assert "Time taken" not in unknown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.31, "0.3 s"), (59.9, "1 min 0 s"), (7260, "2 h 1 min")]
)
def test_how_long_it_took(seconds, shown):
    """As people say it."""
    assert shown in page(IMAGE, facts=replace(FACTS, seconds=seconds)).text


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ((), "The list is empty"),
        ((with_values(IMAGE, state=State.NOT_MIRRORED),), "set spec.assets.containerRegistry"),
    ],
)
def test_a_list_without_anything_to_mirror(outcomes, words):
    """Neither is a mirror that is ready, and neither is an error."""
    assert words in page(*outcomes).text


@pytest.mark.parametrize("outcome", [IMAGE, FAILED])
def test_a_large_list_stays_a_page(outcome):
    """10,000 assets, all well or all failed: a few megabytes."""
    long = f"https://artifacts.k8s.io/binaries/kubernetes/{'x' * 40}"
    many = [with_values(outcome, canonical=f"{long}/{x}", download=long) for x in range(10_000)]
    text = report_html(Report(cluster="c", outcomes=tuple(many)), FACTS)
    assert len(text) < 6_000_000
    found = Page(text)
    assert len(found.assets) == 10_000
    assert ("And 9,900 more" in found.text) == outcome.is_bad


def failure(kind):
    return with_values(FAILED, problem=Problem(kind=kind, message="os"))


@pytest.mark.parametrize(
    ("outcome", "what", "why"),
    [
        (with_values(FILE, state=State.MISSING), "Copy it", "not at the target"),
        (
            with_values(FILE, download_state=Download.NOT_THERE, problem=GONE),
            "credentials",
            "no such tag",
        ),
        (failure(ProblemKind.SERVER_FAILED), "Wait until", "ServerFailedError"),
        (failure(ProblemKind.UNEXPECTED), "Mend what the reason names", "UnexpectedError: os"),
        (with_values(FAILED, problem=None), "Mend what the reason names", ""),
        (with_values(IMAGE, drift="sha256:b"), "", "tag has moved to sha256:b"),
        (
            with_values(IMAGE, state=State.PRESENT, drift="sha256:b", change=Change.DRIFTED),
            "",
            "The source has sha256:b under this name now; the mirror keeps what it has",
        ),
        (failure(ProblemKind.DRIFTED), "run again with on_drift", "Drifted"),
    ],
)
def test_everything_wrong_has_an_advice(outcome, what, why):
    """Also what no task explained."""
    assert what in advice(outcome)
    assert why in reason(outcome)


def test_the_errors_with_an_advice_exist():
    """One that is renamed takes its advice along."""
    assert all(hasattr(exceptions, x) for x in _ADVICE if x.endswith("Error"))


def test_what_was_foreseen_stands_beside_what_it_took():
    """As far as something was copied."""
    copied = with_values(IMAGE, expected_bytes=2048, expected_requests=7, requests=9)
    html = report_html(Report(cluster="c", outcomes=(copied,)), FACTS)
    assert "<dt>Foreseen</dt><dd>2.0 KiB <small>2,048</small> in 7 requests</dd>" in html
    assert "Foreseen" not in report_html(Report(cluster="c", outcomes=(IMAGE,)), FACTS)


def test_json_has_the_report_and_its_run():
    """What XCom has, and what a file needs besides."""
    report = Report(cluster="c.example.com", outcomes=(IMAGE, FILE, FAILED))
    found = json.loads(report_json(report, FACTS))
    assert next(iter(found)) == "format"
    head = {
        "format": "kops-assets-report",
        "schema": 1,
        "package_version": __version__,
        "run": "nightly",
        "kops_version": "1.36.2",
        "when": "2026-11-02T01:02:03+00:00",
        "seconds": 754.2,
    }
    assert found == json.loads(json.dumps(head | report.to_dict()))
    assert (found["requests"], found["retries"], found["ready"]) == (13, 1, False)


def test_a_signature_goes_into_neither():
    """A mirror's files can be read by many; a URL's user and query may be secrets."""
    url = "https://bob:hunter2@dl.test/x?sig=hunter2"
    report = Report(cluster="c", outcomes=(with_values(FILE, canonical=url, download=url),))
    for text in (report_html(report, FACTS), report_json(report, FACTS)):
        assert "hunter2" not in text
        assert "https://dl.test/x" in text


@pytest.fixture
def stores():
    return FileStores({Scheme.FILE: lambda x: DirectoryStore(x.root)})


def test_both_files_are_written_beside_the_record(stores, tmp_path):
    """The newest replaces the one before, and the record, of a like name, is left alone."""
    (tmp_path / "c.json").write_text("the record")
    write_report(stores, str(tmp_path), Report(cluster="c", outcomes=(FAILED,)), FACTS)
    written = write_report(
        stores, f"file://{tmp_path}/", Report(cluster="c", outcomes=(IMAGE,)), FACTS
    )
    names = [f"file://{tmp_path}/c.report.{x}" for x in ("html", "json")]
    assert list(written) == names
    assert "The mirror is ready" in (tmp_path / "c.report.html").read_text()
    assert json.loads((tmp_path / "c.report.json").read_text())["ready"]
    assert (tmp_path / "c.json").read_text() == "the record"
    assert len(list(tmp_path.iterdir())) == 3


def test_a_download_url_is_a_place(tmp_path):
    """As it is for the record; its secrets are not told."""
    open_store = {Scheme.FILE: lambda x: DirectoryStore(x.root)}
    stores = FileStores(open_store, {"https://files.test": str(tmp_path)})
    written = write_report(
        stores, "https://files.test/reports", Report(cluster="c", outcomes=()), FACTS
    )
    assert written[0] == "https://files.test/reports/c.report.html"
    assert (tmp_path / "reports/c.report.html").exists()


@pytest.mark.parametrize(
    ("url", "error"), [("nowhere", InvalidInputError), ("/", AccessDeniedError)]
)
def test_a_place_that_cannot_be_written(stores, tmp_path, url, error):
    """The store's own error, for whoever calls to decide what it means."""

    def denied(_):
        raise AccessDeniedError("403")

    broken = FileStores({Scheme.FILE: denied})
    with pytest.raises(error):
        write_report(broken, url, Report(cluster="c", outcomes=()), FACTS)
