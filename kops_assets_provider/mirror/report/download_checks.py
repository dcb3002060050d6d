"""
Check that nodes can download the files: without credentials, as kOps requires.

A file may be right in its bucket and still be out of reach: a policy that lets nobody read, a
CloudFront in front of another prefix, a web server on another directory. So its download URL is
asked as a node asks, for the length of the file alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from kops_assets_provider.exceptions import KopsAssetsError, NotFoundError, Side
from kops_assets_provider.http.client import HttpClient, Response
from kops_assets_provider.http.errors import place
from kops_assets_provider.http.traffic import counted
from kops_assets_provider.mirror.model.asset import Download, Kind, Problem, ProblemKind, State
from kops_assets_provider.mirror.model.outcome import Outcome
from kops_assets_provider.mirror.report.report import Report
from kops_assets_provider.threads import Threads

_AT_A_TIME = 16
_NO_HEAD = {400, 405, 501}


def with_downloads(outcomes: Iterable[Outcome], http: HttpClient | None = None) -> list[Outcome]:
    """Return the outcomes, those of files at their targets with what their download URLs answer."""
    ask = partial(_with_download, http=http or HttpClient())
    with Threads(_AT_A_TIME, "downloads") as threads:
        return threads.map(ask, outcomes)


def report_with_downloads(report: Report) -> Report:
    """Return the report of the outcomes that ``with_downloads`` gives."""
    return replace(report, outcomes=tuple(with_downloads(report.outcomes)))


def _with_download(outcome: Outcome, http: HttpClient) -> Outcome:
    is_there = outcome.kind is Kind.FILE and not outcome.is_bad
    if not is_there or outcome.state is State.NOT_MIRRORED:
        return outcome
    with counted() as traffic:
        answer, reason = _ask(outcome.asset.download, outcome.facts.size, http)
    kind, side = ProblemKind.NOT_READABLE, Side.TARGET
    problem = Problem(kind=kind, message=reason, side=side) if reason else None
    requests = (outcome.cost.requests or 0) + traffic.requests
    asked = outcome.with_facts(download_state=answer).with_cost(requests=requests)
    return replace(asked, problem=problem)


def _ask(url: str, size: int | None, http: HttpClient) -> tuple[Download, str | None]:
    try:
        length = _length(url, http)
    except NotFoundError as err:
        return Download.NOT_THERE, f"nodes do not find it: {err}"
    except KopsAssetsError as err:
        # A refusal, too: whoever may read from inside of a network only is refused from here.
        return Download.UNKNOWN, f"whether nodes can download it cannot be told from here: {err}"
    if length == size:
        return Download.READABLE, None
    message = f"{place('GET', url)} offers {length} bytes instead of {size}"
    return Download.WRONG, f"nodes get another file: target {message}"


def _length(url: str, http: HttpClient) -> int | None:
    """Return how many bytes a download would be; None if the server does not say it."""
    with http.request("HEAD", url, side=Side.TARGET, accept=_NO_HEAD) as response:
        if response.status not in _NO_HEAD and response.length is not None:
            return response.length
    # Its first byte: not every server answers HEAD, or tells a length there.
    with http.request("GET", url, side=Side.TARGET, headers={"Range": "bytes=0-0"}) as response:
        return _total(response)


def _total(response: Response) -> int | None:
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if response.status != 206:
        return response.length
    return int(total) if total.isdecimal() and len(total) < 20 else None
