"""What became, or would become, of assets, as tables for a log or a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from kops_assets_provider.mirror.model.asset import Change
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.redaction import printable

_ORDER = (
    *(Change.NOT_MIRRORED, Change.SAME, Change.ADDED, Change.UNREAD),
    *(Change.DAMAGED, Change.DRIFTED, None),
)


def results_table(outcomes: Iterable[Outcome]) -> str:
    """Return what became of each asset, the bad ones last."""
    ordered = sorted(outcomes, key=lambda x: (x.is_bad, x.kind, x.canonical))
    return _table(
        ("state", "kind", "bytes sent", "canonical", "reason"),
        ((x.state, x.kind, str(x.cost.sent), x.canonical, _reason(x)) for x in ordered),
    )


def dry_run_table(outcomes: Iterable[Outcome]) -> str:
    """Return what a copy would do with each asset, what needs attention last."""
    ordered = sorted(outcomes, key=lambda x: (_ORDER.index(x.change), x.kind, x.canonical))
    return _table(
        ("change", "kind", "bytes", "requests", "canonical", "reason"),
        (
            (
                x.change or x.state,
                x.kind,
                _number(x.estimate.expected_bytes),
                _number(x.estimate.expected_requests),
                x.canonical,
                _reason(x),
            )
            for x in ordered
        ),
    )


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _reason(outcome: Outcome) -> str:
    return str(outcome.problem or "")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(printable, row))
    out = io.StringIO()
    # Nothing wraps and nothing is cut: logs are searched, and scroll sideways.
    Console(file=out, width=10_000, no_color=True, markup=False).print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
