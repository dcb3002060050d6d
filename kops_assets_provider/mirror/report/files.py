"""A report as files that outlast the run: a page to be looked at, and JSON for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from kops_assets_provider import __version__
from kops_assets_provider.files.content import Content
from kops_assets_provider.files.targets import show_place
from kops_assets_provider.http.urls import redact
from kops_assets_provider.mirror.model.asset import Kind
from kops_assets_provider.mirror.model.document_formats import FORMAT_KEY, Format, refuse_foreign
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.model.schema import with_schema
from kops_assets_provider.mirror.places.file_stores import FileStores
from kops_assets_provider.mirror.record.places import report_names
from kops_assets_provider.mirror.report.page import report_page
from kops_assets_provider.mirror.report.report import Report, RunFacts


def write_report(stores: FileStores, url: str, report: Report, facts: RunFacts) -> tuple[str, str]:
    """
    Write the page and the JSON, each whole or not at all; return where they are.

    :param url: directory or prefix: a place, or a download URL, as ``FileStores`` opens it.
    :raises UnsupportedTargetError: a document that is not ours has the name of one of them.
    :raises KopsAssetsError: what the store raises.
    """
    names = report_names(report.cluster)
    targets = [stores.locate_place(url, name) for name in names]
    opened = [stores.open_target(target) for target in targets]
    for (store, path), target in zip(opened, targets, strict=True):
        refuse_foreign(store, path, Format.REPORT, str(target))
    texts = report_html(report, facts), report_json(report, facts)
    for (store, path), text in zip(opened, texts, strict=True):
        store.write(path, Content.of("the report", text.encode()))
    place = show_place(url).rstrip("/")
    return f"{place}/{names[0]}", f"{place}/{names[1]}"


def report_json(report: Report, facts: RunFacts) -> str:
    """Return the document."""
    own = {"package_version": __version__, **asdict(facts), **_shown(report).to_dict()}
    return json.dumps({FORMAT_KEY: Format.REPORT, **with_schema(own)}, indent=1) + "\n"


def report_html(report: Report, facts: RunFacts) -> str:
    """Return the page."""
    return report_page(_shown(report), facts, __version__)


def _shown(report: Report) -> Report:
    # What lies beside a mirror can be read by many: a signed URL goes there without its signature.
    return replace(report, outcomes=tuple(map(_redacted, report.outcomes)))


def _redacted(outcome: Outcome) -> Outcome:
    if outcome.kind is Kind.IMAGE:
        return outcome
    name = outcome.asset
    shown = name._replace(canonical=redact(name.canonical), download=redact(name.download))
    return replace(outcome, asset=shown)
