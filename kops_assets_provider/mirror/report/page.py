"""
A report as one page that needs nothing else: no script, no font, no server.

Whatever comes from outside goes through ``_text``, and nothing else writes into the page. No name
becomes a link, since a page beside a mirror must not lead where a list says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template

from kops_assets_provider.http.urls import printable
from kops_assets_provider.mirror.model.asset import Kind, State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.report.advice import advice, reason
from kops_assets_provider.mirror.report.report import NOTHING_MIRRORED, Report, RunFacts

_TEMPLATE = Path(__file__).with_name("report.html")
# A target that is down fails everything, and then one of its reasons tells as much as all.
_ON_TOP = 100
_DIGITS = 12  # of a digest, as other tools shorten it


def report_page(report: Report, facts: RunFacts, version: str) -> str:
    """Return the page; ``version`` is that of this package."""
    sign, headline, sentence = _verdict(report)
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        cluster=_text(report.cluster),
        verdict="ready" if report.ready else "bad",
        sign=sign,
        headline=headline,
        sentence=sentence,
        wrong=_wrong(report),
        facts="\n".join(_facts(report, facts, version)),
        counts="\n".join(_counts(report)),
        rows="\n".join(map(_row, sorted(report.outcomes, key=lambda x: not x.is_bad))),
    )


def _text(value: object) -> str:
    """Return what may stand in the page, in quotes too: no markup, nothing that turns text."""
    return escape(printable(str(value)))


def _verdict(report: Report) -> tuple[str, str, str]:
    """Return a sign, for who does not see colours, a headline, and a sentence."""
    total = len(report.outcomes)
    if report.missing:
        found = f"{len(report.missing):,} of {total:,} assets are not there, or not the right ones"
        return "✗", "The mirror is not ready", f"{found}."
    if not total:
        return "○", "The list is empty", "There is nothing to mirror."
    if not report.mirrored:
        return (
            "○",
            "Nothing is mirrored",
            _text(f"{NOTHING_MIRRORED[0].upper()}{NOTHING_MIRRORED[1:]}."),
        )
    rest = total - len(report.mirrored)
    others = f" Nodes download {rest:,} more from where they always were." if rest else ""
    return "✓", "The mirror is ready", f"All {len(report.mirrored):,} assets are there.{others}"


def _wrong(report: Report) -> str:
    if not report.missing:
        return ""
    items = "\n".join(map(_wrong_one, report.missing[:_ON_TOP]))
    rest = len(report.missing) - _ON_TOP
    more = f"<p>And {rest:,} more: the table below has them first.</p>\n" if rest > 0 else ""
    return (
        '<section aria-labelledby="wrong">\n<h2 id="wrong">What is wrong</h2>\n'
        f'<ul class="wrong">\n{items}\n</ul>\n{more}</section>'
    )


def _wrong_one(outcome: Outcome) -> str:
    return (
        f'<li><p><span class="bad">{_text(outcome.state)}</span> {_text(outcome.kind)} '
        f"<b>{_text(outcome.canonical)}</b></p>\n"
        f"<p>{_text(reason(outcome))}</p>\n"
        f'<p class="todo">{_text(advice(outcome))}</p></li>'
    )


def _facts(report: Report, facts: RunFacts, version: str) -> Iterable[str]:
    found = {
        "Bytes sent": _bytes(report.sent),
        "Sent twice": _bytes(report.late) if report.late else "",
        "Requests": _number(report.requests),
        "Foreseen": _foreseen(report),
        "Retries": _number(report.retries),
        "Time taken": "" if facts.seconds is None else _duration(facts.seconds),
        "Finished": _time(facts.when),
        "Run": _text(facts.run),
        "kOps": _text(facts.kops_version),
        "kops-assets": _text(version),
    }
    return (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in found.items() if value)


def _foreseen(report: Report) -> str:
    """Return what the copies were foreseen to take, which is not all that was asked."""
    if not report.expected_requests:
        return ""
    return f"{_bytes(report.expected_bytes)} in {report.expected_requests:,} requests"


def _counts(report: Report) -> Iterable[str]:
    counts = Counter((x.state, x.kind) for x in report.outcomes)
    for state in reversed(State):
        cells = "".join(f"<td>{counts[state, kind]:,}</td>" for kind in Kind)
        if any(counts[state, kind] for kind in Kind):
            yield f'<tr><th scope="row">{_state(state)}</th>{cells}</tr>'


def _row(outcome: Outcome) -> str:
    cells = (
        _text(outcome.download),
        _digest(outcome.facts.content),
        "" if outcome.facts.size is None else _bytes(outcome.facts.size),
        _bytes(outcome.cost.sent),
        _number(outcome.cost.requests),
        _number(None if outcome.cost.requests is None else outcome.cost.retries),
        "" if outcome.cost.seconds is None else f"{outcome.cost.seconds:,.1f}",
        _time(outcome.facts.verified_at or ""),
        _text(reason(outcome)),
    )
    start = f"<tr><td>{_state(outcome.state, outcome.is_bad)}</td><td>{_text(outcome.kind)}</td>"
    name = f'<th scope="row">{_text(outcome.canonical)}</th>'
    return f"{start}{name}{''.join(f'<td>{x}</td>' for x in cells)}</tr>"


def _state(state: State, is_bad: bool | None = None) -> str:
    shown = _text(state)
    return f'<b class="bad">{shown}</b>' if is_bad or state.is_bad else shown


def _digest(content: str | None) -> str:
    if not content:
        return ""
    short = content.removeprefix("sha256:")[:_DIGITS]
    return f'<code title="{_text(content)}">{_text(short)}…</code>'


def _time(when: str) -> str:
    # Ours are in UTC; whatever else a record or XCom may hold is shown as it is.
    own = when.removesuffix("+00:00")
    return _text(when if own == when else f"{own.replace('T', ' ')} UTC")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _bytes(size: int) -> str:
    """Return a size for people, and to the byte beside it."""
    if size < 1024:
        return f"{size} B"
    amount, unit = size / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if amount >= 1024:
            amount, unit = amount / 1024, larger
    return f"{amount:,.1f} {unit} <small>{size:,}</small>"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
